"""Contacts and how to import them."""
