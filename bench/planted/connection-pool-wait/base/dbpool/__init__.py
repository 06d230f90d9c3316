"""A pool of connections."""
