"""Benchmarks: each figure against a baseline in the same run, as JSON lines; `python -m bench [NAME…]`."""
