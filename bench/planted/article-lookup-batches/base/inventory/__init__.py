"""The inventory of a shop."""
