"""S6 probes: one file for each requirement that is measured here, each of them on the running system."""
