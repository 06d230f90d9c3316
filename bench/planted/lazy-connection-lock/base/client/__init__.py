"""A client for a directory server."""
