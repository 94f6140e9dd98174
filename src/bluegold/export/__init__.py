"""Export: the development pipeline as a definition for another system.

Every stage becomes one task that runs ``bluegold develop --stop-after STAGE``.  Stages are content-addressed, so the
tasks share their artefacts through the workspace and finished work is never repeated, whoever schedules it.
"""
