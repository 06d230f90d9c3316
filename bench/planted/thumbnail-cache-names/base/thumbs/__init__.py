"""Thumbnails of pictures."""
