"""Sends events to addresses that customers configure."""
