"""Run with: python -m unittest discover tests"""

import unittest

from app import app, most_common


class Words(unittest.TestCase):
    def test_the_most_frequent_word_comes_first(self):
        self.assertEqual(most_common("a layer on a layer on a base", limit=2), [("a", 3), ("layer", 2)])

    def test_the_page_shows_the_counts(self):
        answer = app.test_client().get("/", query_string={"text": "copy run copy"})
        self.assertEqual(answer.status_code, 200)
        self.assertIn("copy: 2", answer.text)

    def test_the_words_are_there_as_data(self):
        answer = app.test_client().get("/words", query_string={"text": "copy run copy"})
        self.assertEqual(answer.json, {"copy": 2, "run": 1})


if __name__ == "__main__":
    unittest.main()
