"""How numbers and weights are written."""


def tracking_number(text: str) -> str:
    """A tracking number without blanks and dashes, in capitals."""
    return text.replace(" ", "").replace("-", "").upper()


def kilograms(grams: int) -> str:
    """A weight for people, e.g. `1.25 kg`."""
    return f"{grams / 1000:.2f} kg"


def label_line(number: str, grams: int) -> str:
    """The line printed below the bar code."""
    return f"{tracking_number(number)} · {kilograms(grams)}"
