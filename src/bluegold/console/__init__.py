"""S2 console: one read-only page that shows what answers, how a release stands and what is proven."""
