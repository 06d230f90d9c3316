"""The rules of shipping: what may follow what, and what it costs."""

from parcels.storage import database

FOLLOWS = {"created": {"moving", "lost"}, "moving": {"delivered", "lost"}, "lost": {"moving"}, "delivered": set()}


def find(number):
    """The parcel with this tracking number, None where there is none."""
    return database.parcel(number)


def advance(number, state):
    """Move a parcel to its next state."""
    parcel = find(number)
    if parcel is None:
        raise LookupError(f"no parcel {number}")
    if state not in FOLLOWS[parcel["state"]]:
        raise ValueError(f"a parcel that is {parcel['state']} cannot become {state}")
    database.set_state(number, state)


def price(grams, zone):
    """Postage in cents."""
    cents = 490 if grams <= 2000 else 690
    if grams > 10_000:
        cents = 1190
    if zone == "abroad":
        cents += 800
    elif zone == "island":
        cents += 300
    return cents


def late(parcel, today):
    """True if a parcel should have arrived before `today`."""
    return parcel["state"] != "delivered" and parcel["promised"] is not None and parcel["promised"] < today


def overdue(today):
    """All parcels that are late, the latest first."""
    return sorted((p for p in database.parcels() if late(p, today)), key=lambda p: p["promised"])


def refundable(parcel, today):
    """True if the customer may have the postage back."""
    if parcel["state"] == "lost":
        return True
    return late(parcel, today) and parcel["service"] == "express"


def summary(today):
    """Counts for the morning mail."""
    counts = {"delivered": 0, "late": 0, "lost": 0}
    for parcel in database.parcels():
        if parcel["state"] in counts:
            counts[parcel["state"]] += 1
        if late(parcel, today):
            counts["late"] += 1
    return counts
