"""Design: from a code base or a running system to its architecture document."""
