"""Counts things. Registries are independent of each other: a process may serve several sites."""
