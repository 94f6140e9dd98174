"""S2 sources of events: a file or a pipe, the embedded durable log, a NATS JetStream."""
