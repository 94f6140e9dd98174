"""S2 telemetry: the hash chain, structured logs and metrics that every room may use."""
