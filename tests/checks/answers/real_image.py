"""Answers to exercises 13.1 to 13.3, which share a project."""

from __future__ import annotations

from dockerlab.checks.exercises import real_image
from tests.checks.judging import Answer

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

NO_PYTHON_NAME = (
    f"{WORK}{SLIM}RUN rm /usr/local/bin/python\n{APART}COPY app.py .\nUSER 65534\n"
    + START.replace("python", "python3")
)
ENTRY = f'{WORK}{SLIM}{APART}COPY app.py .\nUSER 1000\nENTRYPOINT ["python"]\nCMD ["/app/app.py"]\n'
A_PACKAGE = AFTER.replace(
    SLIM,
    f"{SLIM}RUN apt-get update && apt-get install -y --no-install-recommends less"
    " && rm -rf /var/lib/apt/lists/*\n",
)
ASKED_FOR = Answer(
    f"{AFTER}FROM python:3.13-slim\n".replace(SLIM, SLIM.replace("slim", "slim AS app", 1)), target="app"
)

SIZE_RIGHT: dict[str, str | Answer] = {
    "entry-point": ENTRY,
    "target": ASKED_FOR,
    "package": A_PACKAGE,
    "stages": AFTER,
    "two-stages": TWO_STAGES,
    "a-user": WITH_A_USER,
    "mounted": MOUNTED,
}
DEPLOY_RIGHT: dict[str, str | Answer] = {
    "entry-point": ENTRY,
    "target": ASKED_FOR,
    "stages": AFTER,
    "two-stages": TWO_STAGES,
    "one-stage": ONE_STAGE,
}
A_TEXT_NAMED_CC = AFTER.replace("USER nobody", "COPY <<EOF /app/cc\nno compiler\nEOF\nUSER nobody")
ALL_RIGHT: dict[str, str | Answer] = {
    "entry-point": ENTRY,
    "target": ASKED_FOR,
    "python3": NO_PYTHON_NAME,
    "text": A_TEXT_NAMED_CC,
    "stages": AFTER,
    "two-stages": TWO_STAGES,
    "a-user": WITH_A_USER,
}

SIZE_WRONG = {
    "root-by-another-spelling": (AFTER.replace("USER nobody", "USER 00"), {1}),
    "root-by-another-name": (
        AFTER.replace("USER nobody", "RUN useradd -o -u 0 -M boss\nUSER boss"),
        {1},
    ),
    "the-history-packed": (
        AFTER.replace("USER nobody", "RUN --mount=target=/i tar -czf /app/kept -C /i .git\nUSER nobody"),
        {3},
    ),
    "a-table-of-few-places": (
        AFTER.replace("python make_places.py >", "python make_places.py | head -n 500 >"),
        {0},
    ),
    "a-table-typed-in": (
        f"""\
{WORK}{SLIM}{APART}RUN printf 'import os\\nfrom http.server import *\\nclass A(BaseHTTPRequestHandler):\\n\
 def do_GET(self):\\n  self.send_response(200); self.end_headers(); self.wfile.write(b"[]")\\n\
HTTPServer(("", int(os.environ["PORT"])), A).serve_forever()' > app.py
USER nobody
{START}""",
        {0},
    ),
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
    "no-command": (AFTER.replace(START, ""), {0}),
    "a-rounded-table": (
        AFTER.replace("python load.py", "sed -i 's/[0-9][0-9][0-9],/,/g' places.csv && python load.py"),
        {0},
    ),
    "made-when-it-starts": (
        f"FROM python:3.13\nWORKDIR /app\nCOPY native native\n{CC}COPY make_places.py load.py app.py ./\n"
        "CMD python make_places.py > places.csv && python load.py && python app.py\n",
        {5},
    ),
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
    "the-key-in-other-letters": (
        AFTER.replace("USER nobody", "RUN --mount=source=.env,target=/e tr a-z b-za < /e > .e\nUSER nobody"),
        {2},
    ),
    "root-by-another-spelling": (AFTER.replace("USER nobody", "USER 00"), {1}),
    "root-by-another-name": (
        AFTER.replace("USER nobody", "RUN useradd -o -u 0 -M boss\nUSER boss"),
        {1},
    ),
    "a-compiler-under-another-name": (
        AFTER.replace("USER nobody", "COPY --from=work /usr/bin/gcc /opt/tool\nUSER nobody"),
        {4},
    ),
    "the-inner-compiler-alone": (
        AFTER.replace("USER nobody", "COPY --from=work /usr/libexec/gcc/*/*/cc1 /opt/one\nUSER nobody"),
        {4},
    ),
    "the-key-in-base64": (
        AFTER.replace("USER nobody", "COPY <<EOF /app/k\na2V5LTVkMWU5YTdjNDBiODNmMjY=\nEOF\nUSER nobody"),
        {2},
    ),
    "the-key-cut-in-two": (
        AFTER.replace("USER", f"ENV A={real_image.SECRET[:11]} B={real_image.SECRET[11:]}\nUSER"),
        {2},
    ),
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
