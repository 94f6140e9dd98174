"""Export: the development pipeline as a definition for another system.

Every stage becomes one task that runs ``python -m bluegold.export.stage STAGE``.  Stages are content-addressed, so the
tasks share their artefacts through the workspace and finished work is never repeated, whoever schedules it.
"""
