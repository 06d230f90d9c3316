"""Events and who handles them."""
