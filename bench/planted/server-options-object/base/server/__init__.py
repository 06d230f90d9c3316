"""A server for small sites."""
