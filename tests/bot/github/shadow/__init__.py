"""`/box compare`, turn by turn."""
