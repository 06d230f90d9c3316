"""Shows tables of a database."""
