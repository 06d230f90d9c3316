"""Runs tasks one after the other."""
