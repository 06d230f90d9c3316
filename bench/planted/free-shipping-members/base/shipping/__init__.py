"""What shipping costs."""
