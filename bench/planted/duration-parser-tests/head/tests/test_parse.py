"""Tests of parse."""

import unittest

from durations.parse import parse, show


class ParseTest(unittest.TestCase):
    def test_units(self):
        for text, seconds in (("45s", 45), ("2m", 120), ("1h30m", 5400), ("1d", 86400), ("1d1s", 86401)):
            with self.subTest(text):
                self.assertEqual(parse(text), seconds)

    def test_blanks_and_capitals(self):
        self.assertEqual(parse(" 1H "), 3600)

    def test_zero(self):
        self.assertEqual(parse("0s"), 0)

    def test_rejected(self):
        for text in ("", " ", "5", "m", "1m2h", "-1s", "1.5h", "1h 30m", "1w", "\u0661s"):
            with self.subTest(text), self.assertRaises(ValueError):
                parse(text)

    def test_show_and_back(self):
        for seconds in (0, 1, 59, 60, 61, 3599, 3600, 86399, 86400, 1234567):
            with self.subTest(seconds):
                self.assertEqual(parse(show(seconds)), seconds)


if __name__ == "__main__":
    unittest.main()
