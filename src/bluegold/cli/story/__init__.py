"""The demo's story: acts, live traffic, the drill and the summary."""
