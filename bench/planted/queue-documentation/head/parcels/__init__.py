"""A queue of messages."""
