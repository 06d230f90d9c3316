"""What customers owe."""
