"""The catalogue of a shop."""
