"""Exercises 13.1 to 13.3, which share a project."""

from __future__ import annotations

import pytest

from dockerlab.checks import real_image, real_image_all, real_image_deploy, real_image_size
from tests.checks.answers import failed, judged

CC = "RUN cc -O2 -shared -fPIC -o libdistance.so native/distance.c -lm\n"
TABLE = "RUN python make_places.py > places.csv && python load.py && rm places.csv\n"
WORK = f"""\
FROM python:3.13 AS work
WORKDIR /app
COPY native native
{CC}COPY make_places.py load.py ./
{TABLE}"""
START = 'CMD ["python", "app.py"]\n'
SLIM = "FROM python:3.13-slim\nWORKDIR /app\n"
APART = "COPY --from=work /app/places.db ./\nCOPY --from=work /app/libdistance.so ./\n"
APP = f"COPY app.py .\nUSER nobody\n{START}"
AFTER = f"{WORK}{SLIM}{APART}{APP}"
TWO_STAGES = f"""\
FROM python:3.13 AS native
WORKDIR /app
COPY native native
{CC}FROM python:3.13-slim AS table
WORKDIR /app
COPY make_places.py load.py ./
{TABLE}{SLIM}COPY --from=table /app/places.db .
COPY --from=native /app/libdistance.so .
{APP}"""
WITH_A_USER = f"{WORK}{SLIM}RUN useradd app\n{APART}COPY --chown=app app.py .\nUSER app\n{START}"
MOUNTED = f"""\
{WORK}FROM python:3.13-slim
WORKDIR /app
RUN --mount=type=bind,from=work,source=/app,target=/mnt/built cp /mnt/built/places.db .
RUN --mount=type=bind,from=work,source=/app,target=/mnt/built cp /mnt/built/libdistance.so .
{APP}"""
ONE_STAGE = f"""\
FROM python:3.13
WORKDIR /app
COPY make_places.py load.py ./
{TABLE}COPY native native
{CC}COPY app.py .
USER nobody
{START}"""

SIZE, DEPLOY, ALL = "13-real-image-1", "13-real-image-2", "13-real-image-3"
RIGHT = [
    *((SIZE, text) for text in (AFTER, TWO_STAGES, WITH_A_USER, MOUNTED)),
    *((DEPLOY, text) for text in (AFTER, TWO_STAGES, ONE_STAGE)),
    *((ALL, text) for text in (AFTER, TWO_STAGES, WITH_A_USER)),
]

COPY_ALL = f"FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\n{APART}USER nobody\n{START}"
LATE_RM = ONE_STAGE.replace("python load.py && rm places.csv", "python load.py\nRUN rm places.csv")

# exercise, Dockerfile, the numbers of the rules it breaks
WRONG: dict[str, tuple[str, str, set[int]]] = {
    "size: the starter": (SIZE, real_image_size.STARTER, {2, 3, 4}),
    "size: one stage": (SIZE, ONE_STAGE, {4}),
    "size: rm in a later RUN": (SIZE, LATE_RM, {2, 4}),
    "size: the folder as it is": (SIZE, f"{WORK}{COPY_ALL}", {3}),
    "size: root": (SIZE, AFTER.replace("USER nobody\n", ""), {1}),
    "size: no library": (SIZE, AFTER.replace("COPY --from=work /app/libdistance.so ./\n", ""), {0}),
    "size: chown in a RUN": (
        SIZE,
        AFTER.replace("USER nobody", "RUN chown -R nobody /app\nUSER nobody"),
        {2},
    ),
    "deploy: the starter": (DEPLOY, real_image_deploy.STARTER, {1, 2, 3}),
    "deploy: the app first": (
        DEPLOY,
        ONE_STAGE.replace("COPY make_places", "COPY app.py make_places"),
        {1, 2},
    ),
    "deploy: the table below the library": (
        DEPLOY,
        f"FROM python:3.13\nWORKDIR /app\nCOPY native native\n{CC}"
        f"COPY make_places.py load.py ./\n{TABLE}COPY app.py .\n{START}",
        {3},
    ),
    "deploy: one COPY for both": (
        DEPLOY,
        f"{WORK}{SLIM}COPY --from=work /app/places.db /app/libdistance.so ./\n{APP}",
        {3},
    ),
    "deploy: another program": (
        DEPLOY,
        f"{WORK}{SLIM}{APART}RUN echo 'print(1)' > app.py\nUSER nobody\n{START}",
        {0, 2},
    ),
    "deploy: stored twice": (
        DEPLOY,
        AFTER.replace("COPY app.py", "RUN chmod 444 places.db\nCOPY app.py"),
        {3, 4},
    ),
    "all: the starter": (ALL, real_image_all.STARTER, {2, 3, 4, 5, 7}),
    "all: the key as a setting": (
        ALL,
        AFTER.replace("USER", f"ENV MAPS_API_KEY={real_image.SECRET}\nUSER"),
        {2, 7},
    ),
    "all: the key as an argument": (
        ALL,
        f"{WORK}{SLIM}{APART}ARG MAPS_API_KEY={real_image.SECRET}\nRUN true\n{APP}",
        {2, 7},
    ),
    "all: .env removed later": (
        ALL,
        f"{WORK}{SLIM}{APART}COPY .env .\nRUN rm .env\n{APP}",
        {2, 7},
    ),
    "all: one stage": (ALL, ONE_STAGE, {4, 7}),
    "all: root": (ALL, AFTER.replace("USER nobody\n", ""), {1}),
    "all: many layers": (
        ALL,
        AFTER.replace("USER", "".join(f"RUN true {number}\n" for number in range(9)) + "USER"),
        {6, 5},
    ),
}


@pytest.mark.parametrize(("name", "dockerfile"), RIGHT)
def test_every_way_that_works_is_right(name: str, dockerfile: str) -> None:
    """An answer that does what its exercise asks passes all rules, however it is written."""
    report = judged(name, dockerfile)
    assert report.passed, str(report)


@pytest.mark.parametrize("case", WRONG)
def test_what_only_looks_right_is_wrong(case: str) -> None:
    """A trick fails, and it fails the rules it breaks and no other."""
    name, dockerfile, broken = WRONG[case]
    report = judged(name, dockerfile)
    assert failed(report) == broken, str(report)


def test_the_report_points_to_the_lesson_that_the_three_share() -> None:
    """An exercise that shares its lesson with others is sent back to that lesson."""
    assert judged(SIZE, AFTER).lesson == "../notebooks/13-real-image.ipynb"
