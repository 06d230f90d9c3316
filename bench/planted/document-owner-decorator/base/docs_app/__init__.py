"""Documents that belong to users."""
