"""S4 model registry: how the layout of an older release becomes today's, one step a file."""
