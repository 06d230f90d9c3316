"""Harnesses: what drives a review in a box. `contract` says what each gives; one module a harness."""
