"""Names that more than one layer needs."""

FORMATS = ("csv", "text")
