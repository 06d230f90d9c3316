"""Orders of several shops in one database."""
