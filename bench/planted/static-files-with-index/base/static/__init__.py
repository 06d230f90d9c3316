"""Serves files of a folder."""
