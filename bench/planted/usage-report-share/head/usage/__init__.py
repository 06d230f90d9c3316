"""Reports of what customers use."""
