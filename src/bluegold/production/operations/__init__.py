"""S2 pipeline operations: supervision, health, known answers, system modes and the way back to safety."""
