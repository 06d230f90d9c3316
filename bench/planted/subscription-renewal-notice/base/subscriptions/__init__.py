"""Subscriptions of readers."""
