"""Core: the nouns every room speaks, the error tree, settings, the plan and the workspace."""
