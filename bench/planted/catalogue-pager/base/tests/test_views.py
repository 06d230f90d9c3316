"""Tests of the listing."""

import unittest

from catalogue.views import listing


class ListingTest(unittest.TestCase):
    def test_last_page(self):
        self.assertEqual(listing(["a", "b", "c"], 2, size=2), "* c\nPage 2 of 2")

    def test_number_too_large(self):
        self.assertIn("Page 2 of 2", listing(["a", "b", "c"], 9, size=2))


if __name__ == "__main__":
    unittest.main()
