"""S5 security: signatures, artefact scan and access rules."""
