"""Models engines: how long a step takes, what a replica does in it, which replica a decode goes to."""
