"""Which places are near? A web app: a table of places in SQLite, distances computed in C."""

import ctypes
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs

HERE = Path(__file__).parent
distance = ctypes.CDLL(str(HERE / "libdistance.so")).distance
distance.argtypes = [ctypes.c_double] * 4
distance.restype = ctypes.c_double


def nearest(latitude, longitude, limit=3):
    """Return the places nearest to a point, within a degree of latitude: name and kilometres."""
    with closing(sqlite3.connect(f"file:{HERE / 'places.db'}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT name, latitude, longitude FROM places WHERE latitude BETWEEN ? AND ?",
            (latitude - 1, latitude + 1),
        ).fetchall()
    found = sorted((distance(latitude, longitude, north, east), name) for name, north, east in rows)
    return [{"name": name, "km": round(km, 1)} for km, name in found[:limit]]


def application(environ, start_response):
    """Answer /?latitude=48&longitude=11 with the nearest places, as JSON."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    try:
        places = nearest(float(query["latitude"][0]), float(query["longitude"][0]))
    except (KeyError, ValueError):
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"Ask for /?latitude=48&longitude=11\n"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(places).encode()]


if __name__ == "__main__":
    from waitress import serve

    serve(application, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
