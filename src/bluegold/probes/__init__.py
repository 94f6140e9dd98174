"""S6 probes: one file for each requirement that is measured here; they measure and attack the running system."""
