"""The six gates, one file each; they know nothing of each other."""
