"""Sends mailings."""
