"""A registry of projects."""
