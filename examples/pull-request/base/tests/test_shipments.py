from parcels.service.format import tracking_number
from parcels.service.shipments import price


def test_small_parcels_cost_the_least():
    assert price(500, "home") == 490


def test_tracking_numbers_lose_blanks():
    assert tracking_number("ab 12-3") == "AB123"
