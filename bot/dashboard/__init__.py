"""The dashboard: pages on reviews and boxes, rendered here and readable without JavaScript."""
