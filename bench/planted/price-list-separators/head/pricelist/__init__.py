"""Reads the price lists of suppliers."""
