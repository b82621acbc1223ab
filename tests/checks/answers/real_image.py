"""Answers to exercises 13.1 to 13.3, which share a project."""

from __future__ import annotations

from dockerlab.checks.exercises import real_image

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

COPY_ALL = f"FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\n{APART}USER nobody\n{START}"
LATE_RM = ONE_STAGE.replace("python load.py && rm places.csv", "python load.py\nRUN rm places.csv")

SIZE_RIGHT = {"stages": AFTER, "two-stages": TWO_STAGES, "a-user": WITH_A_USER, "mounted": MOUNTED}
DEPLOY_RIGHT = {"stages": AFTER, "two-stages": TWO_STAGES, "one-stage": ONE_STAGE}
ALL_RIGHT = {"stages": AFTER, "two-stages": TWO_STAGES, "a-user": WITH_A_USER}

SIZE_WRONG = {
    "the-starter": (real_image.WASTEFUL, {2, 3, 4}),
    "one-stage": (ONE_STAGE, {4}),
    "rm-in-a-later-run": (LATE_RM, {2, 4}),
    "the-folder-as-it-is": (f"{WORK}{COPY_ALL}", {3}),
    "root": (AFTER.replace("USER nobody\n", ""), {1}),
    "no-library": (AFTER.replace("COPY --from=work /app/libdistance.so ./\n", ""), {0}),
    "chown-in-a-run": (
        AFTER.replace("USER nobody", "RUN chown -R nobody /app\nUSER nobody"),
        {2},
    ),
}
DEPLOY_WRONG = {
    "the-starter": (real_image.TIDIED, {1, 2, 3}),
    "the-app-first": (
        ONE_STAGE.replace("COPY make_places", "COPY app.py make_places"),
        {1, 2},
    ),
    "the-table-below-the-library": (
        f"FROM python:3.13\nWORKDIR /app\nCOPY native native\n{CC}"
        f"COPY make_places.py load.py ./\n{TABLE}COPY app.py .\n{START}",
        {3},
    ),
    "one-copy-for-both": (
        f"{WORK}{SLIM}COPY --from=work /app/places.db /app/libdistance.so ./\n{APP}",
        {3},
    ),
    "another-program": (
        f"{WORK}{SLIM}{APART}RUN echo 'print(1)' > app.py\nUSER nobody\n{START}",
        {0, 2},
    ),
    "stored-twice": (
        AFTER.replace("COPY app.py", "RUN chmod 444 places.db\nCOPY app.py"),
        {3, 4},
    ),
}
ALL_WRONG = {
    "the-starter": (real_image.TELLING, {2, 3, 4, 5, 7}),
    "the-key-as-a-setting": (
        AFTER.replace("USER", f"ENV MAPS_API_KEY={real_image.SECRET}\nUSER"),
        {2, 7},
    ),
    "the-key-as-an-argument": (
        f"{WORK}{SLIM}{APART}ARG MAPS_API_KEY={real_image.SECRET}\nRUN true\n{APP}",
        {2, 7},
    ),
    ".env-removed-later": (
        f"{WORK}{SLIM}{APART}COPY .env .\nRUN rm .env\n{APP}",
        {2, 7},
    ),
    "one-stage": (ONE_STAGE, {4, 7}),
    "root": (AFTER.replace("USER nobody\n", ""), {1}),
    "many-layers": (
        AFTER.replace("USER", "".join(f"RUN true {number}\n" for number in range(9)) + "USER"),
        {6, 5},
    ),
}
