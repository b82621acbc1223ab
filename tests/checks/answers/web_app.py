"""Answers to exercise 12.

Right: small, tells nothing, and pulls little, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import web_app

SLIM = "FROM python:3.13-slim\nWORKDIR /app\n"
INSTALL = """\
COPY requirements.txt .
COPY wheels wheels
RUN pip install --no-cache-dir --no-index --find-links wheels -r requirements.txt
"""
CODE = "COPY app.py .\nCOPY pages pages\n"
START = 'CMD ["python", "app.py"]\n'
TO_A_FOLDER = "pip install --no-index --find-links wheels --target /packages -r requirements.txt"

RIGHT = {
    "packages-of-a-stage": """\
FROM python:3.13 AS build
COPY requirements.txt wheels /w/
RUN pip install --no-index --find-links /w --prefix /p -r /w/requirements.txt
FROM python:3.13-slim
WORKDIR /srv/web
COPY --from=build /p /usr/local
COPY pages/ pages/
COPY app.py ./
USER nobody
ENTRYPOINT ["python3", "app.py"]
""",
    "python-by-its-other-name": (
        f'{SLIM}{INSTALL}{CODE}RUN rm /usr/local/bin/python\nCMD ["python3", "app.py"]\n'
    ),
    "another-user-and-a-port": f"{SLIM}{INSTALL}{CODE}USER nobody\nEXPOSE 8000\n{START}",
    "slim-and-in-order": SLIM + INSTALL + CODE + START,
    "stages": f"""\
FROM python:3.13 AS builder
WORKDIR /app
COPY requirements.txt .
COPY wheels wheels
RUN {TO_A_FOLDER}
{SLIM}ENV PYTHONPATH=/packages
COPY --from=builder /packages /packages
{CODE}{START}""",
    "stages-compiled": f"""\
FROM python:3.13-slim AS builder
WORKDIR /app
COPY requirements.txt .
COPY wheels wheels
RUN {TO_A_FOLDER}
COPY . .
RUN python -m compileall -b app.py
{SLIM}ENV PYTHONPATH=/packages
COPY --from=builder /packages /packages
COPY --from=builder /app/pages pages
COPY --from=builder /app/*.pyc .
CMD ["python", "app.pyc"]
""",
    "a-virtual-environment-copied-whole": f"""\
FROM python:3.13-slim AS builder
WORKDIR /app
COPY requirements.txt .
COPY wheels wheels
RUN python -m venv --without-pip /venv \\
 && pip --python /venv/bin/python install --no-index --find-links wheels -r requirements.txt
{SLIM}COPY --from=builder /venv /venv
{CODE}ENV PATH=/venv/bin:$PATH
{START}""",
    "a-bind-mount-and-an-entry-point": f"""\
{SLIM}RUN --mount=type=bind,source=requirements.txt,target=/r.txt \\
    --mount=type=bind,source=wheels,target=/wheels \\
    pip install --no-index --find-links /wheels -r /r.txt
{CODE}ENTRYPOINT ["python", "/app/app.py"]
""",
    "the-shell-form": f"{SLIM}{INSTALL}{CODE}CMD python app.py\n",
}

ANSWERS, INSTALLED, SECRET, BYTES, PULL = range(5)  # the rules, in order

WRONG = {
    "an-echo-of-an-answer": (
        f"{SLIM}{INSTALL}RUN printf 'import os\\nfrom http.server import *\\n"
        "class A(BaseHTTPRequestHandler):\\n"
        " def do_GET(self):\\n  self.send_response(200)\\n  self.end_headers()\\n"
        '  self.wfile.write(b"<p>rank 7</p>")\\n'
        'HTTPServer(("", int(os.environ["PORT"])), A).serve_forever()\' > app.py\n' + START,
        {ANSWERS, PULL},
    ),
    "the-secret-in-base64": (
        f"{SLIM}{INSTALL}RUN --mount=source=.env,target=/e base64 /e > /srv/x\n{CODE}{START}",
        {SECRET},
    ),
    "the-secret-cut-in-two": (
        f"{SLIM}{INSTALL}ENV ONE={web_app.SECRET[:12]} TWO={web_app.SECRET[12:]}\n{CODE}{START}",
        {SECRET},
    ),
    "the-page-typed-in": (
        f"{SLIM}{INSTALL}COPY app.py .\nRUN mkdir pages\n"
        f"RUN echo '<p>{{{{word}}}} has rank {{{{rank}}}}.</p>' > pages/word.html\n"
        f"{START}",
        {ANSWERS},
    ),
    "the-starter": (web_app.STARTER, {SECRET, BYTES, PULL}),
    "only-slim": (web_app.STARTER.replace("3.13", "3.13-slim"), {SECRET, PULL}),
    "the-secret-removed-later": (
        f"{SLIM}{INSTALL}COPY . .\nRUN rm -rf .env debug.log wheels\n{START}",
        {SECRET, PULL},
    ),
    "in-order-on-the-large-base": (
        f"FROM python:3.13\nWORKDIR /app\n{INSTALL}{CODE}{START}",
        {BYTES},
    ),
    "code-before-packages": (f"{SLIM}{CODE}{INSTALL}{START}", {PULL}),
    "the-page-left-out": (f"{SLIM}{INSTALL}COPY app.py .\n{START}", {ANSWERS}),
    "no-command": (f"{SLIM}{INSTALL}{CODE}", {ANSWERS}),
    "packages-left-in-the-stage": (
        f"FROM python:3.13 AS builder\nWORKDIR /app\nCOPY . .\nRUN {TO_A_FOLDER}\n{SLIM}{CODE}{START}",
        {ANSWERS, INSTALLED},
    ),
    "installed-at-each-start": (
        f"""\
{SLIM}COPY requirements.txt .
COPY wheels wheels
{CODE}CMD pip install -q --no-index --find-links wheels -r requirements.txt && python app.py
""",
        {INSTALLED},
    ),
    "the-secret-as-an-argument": (
        f"{SLIM}ARG KEY={web_app.SECRET}\n{INSTALL}{CODE}{START}",
        {SECRET},
    ),
    "all-of-the-stage-copied": (
        f"FROM python:3.13-slim AS builder\nWORKDIR /app\nCOPY . .\nRUN {TO_A_FOLDER}\n"
        f"{SLIM}ENV PYTHONPATH=/packages\nCOPY --from=builder /packages /packages\n"
        f"COPY --from=builder /app /app\n{START}",
        {SECRET, PULL},
    ),
    "all-of-the-folder-first-in-the-stage": (
        f"FROM python:3.13 AS builder\nWORKDIR /app\nCOPY . .\nRUN {TO_A_FOLDER}\n"
        f"{SLIM}ENV PYTHONPATH=/packages\nCOPY --from=builder /packages /packages\n{CODE}{START}",
        {PULL},
    ),
}
