"""S2 results store: every decision, durable before its answer, chained and readable by id."""
