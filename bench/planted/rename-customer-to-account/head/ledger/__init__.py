"""What accounts owe."""
