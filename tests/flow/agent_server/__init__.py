"""Agent servers: memory, observing, asking."""
