"""S2 console: what answers, how a release stands, what is proven; and where people approve or refuse a version."""
