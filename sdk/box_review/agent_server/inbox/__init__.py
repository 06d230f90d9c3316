"""The memory of a tenant, kept in its box. Standard library only: this package is carried into boxes as one file, and runs there."""
