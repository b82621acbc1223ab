"""A small web app: paste a text, see which words it uses most."""

import os
import re
from collections import Counter

from flask import Flask, jsonify, render_template, request
from waitress import serve

app = Flask(__name__)


def most_common(text, limit=5):
    """Return the most frequent words of a text with their counts, largest first."""
    return Counter(re.findall(r"\w+", text.lower())).most_common(limit)


@app.get("/")
def page():
    text = request.args.get("text", "")
    return render_template("index.html", text=text, words=most_common(text))


@app.get("/words")
def words():
    return jsonify(dict(most_common(request.args.get("text", ""))))


if __name__ == "__main__":
    serve(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
