"""An MLflow tracking server: versions are mirrored into it, and registered models there are taken over as evidence."""
