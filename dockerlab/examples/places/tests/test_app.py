import unittest

import app


class Nearest(unittest.TestCase):
    def test_a_quarter_of_the_equator(self):
        self.assertAlmostEqual(app.distance(0, 0, 0, 90), 10_007.6, delta=1)

    def test_the_nearest_come_first(self):
        found = [place["km"] for place in app.nearest(48, 11)]
        self.assertEqual(found, sorted(found))
        self.assertEqual(len(found), 3)


if __name__ == "__main__":
    unittest.main()
