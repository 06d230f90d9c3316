"""Tests of show."""

import unittest

from durations.parse import show


class ShowTest(unittest.TestCase):
    def test_parts(self):
        self.assertEqual(show(5400), "1h30m")
        self.assertEqual(show(0), "0s")


if __name__ == "__main__":
    unittest.main()
