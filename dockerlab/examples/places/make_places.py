"""Print a table of made-up places as CSV, the same each time: it stands for a download."""

import random

rng = random.Random(13)
for number in range(200_000):
    print(f"place-{number:06},{rng.uniform(-80, 80):.6f},{rng.uniform(-180, 180):.6f}")
