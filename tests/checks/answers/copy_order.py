"""Answers to exercise 04.

Right: installs only what changed, and stores nothing twice, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import copy_order

BASE = "FROM python:3.13-slim\n"
INSTALL = "RUN pip install --no-cache-dir --no-index --find-links=/app/wheels -r /app/requirements.txt\n"
FIRST = f"{BASE}COPY requirements.txt /app/\nCOPY wheels /app/wheels/\n{INSTALL}"
LENT = """\
RUN --mount=type=bind,source=requirements.txt,target=/tmp/r.txt \\
    --mount=type=bind,source=wheels,target=/tmp/wheels \\
    pip install --no-cache-dir --no-index --find-links=/tmp/wheels -r /tmp/r.txt
"""
START = 'USER 1000\nCMD ["python3", "/app/app.py"]\n'
APP = f"COPY --chown=1000:1000 app.py words.txt /app/\n{START}"

RIGHT = {
    "packages-under-a-prefix": f"""\
{BASE.strip()} AS build
COPY requirements.txt wheels /w/
RUN pip install --no-index --find-links=/w --prefix=/packages -r /w/requirements.txt
{BASE}COPY --from=build /packages /usr/local
{APP}""",
    "all-in-the-folder-of-the-app": f"""\
{BASE}WORKDIR /app/
COPY requirements.txt .
RUN --mount=source=wheels,target=/wheels pip install --no-cache-dir --no-index -f /wheels -r requirements.txt
COPY --chown=1000 app.py words.txt ./
USER 1000:1000
ENTRYPOINT ["python3", "app.py"]
""",
    "a-user-with-a-name": f"""\
{BASE}RUN useradd --uid 1000 app
{LENT}COPY --chown=app:app app.py words.txt /app/
USER app
CMD ["python3", "/app/app.py"]
""",
    "needed-first": f"{FIRST}{APP}",
    "needed-first-then-all": f"{FIRST}COPY --chown=1000:1000 . /app/\n{START}",
    "one-copy-of-both": f"""\
{BASE}COPY requirements.txt wheels/*.whl /tmp/wheels/
RUN pip install --no-cache-dir --no-index --find-links=/tmp/wheels -r /tmp/wheels/requirements.txt
{APP}""",
    "bind-mounts": f"{BASE}{LENT}{APP}",
    "a-stage-for-the-packages": f"""\
{BASE}COPY requirements.txt /app/
COPY wheels /app/wheels
RUN pip install --no-index --find-links=/app/wheels --target /opt/lib -r /app/requirements.txt
{BASE}ENV PYTHONPATH=/opt/lib
COPY --from=0 /opt/lib /opt/lib
{APP}""",
    "add": (
        f"{BASE}ADD requirements.txt /app/\nADD wheels /app/wheels/\n{INSTALL}"
        f"ADD --chown=1000 . /app/\n{START}"
    ),
}

WORKS, OWNER, USER, EDIT, INSTALLS, ONCE = range(6)  # the rules, in order

WRONG = {
    "words-in-pieces": (
        f"{BASE}{LENT}COPY --chown=1000:1000 app.py words.txt /app/\n"
        f"RUN mkdir /opt/p && gzip -c /app/words.txt | split -b 100k - /opt/p/\n{START}",
        {ONCE},
    ),
    "the-command-lost": (
        f"{FIRST}COPY --chown=1000:1000 app.py words.txt /app/\nUSER 1000\n",
        {WORKS},
    ),
    "the-user-lost": (
        f'{FIRST}COPY --chown=1000:1000 app.py words.txt /app/\nCMD ["python3", "/app/app.py"]\n',
        {USER},
    ),
    "modes-lost": (FIRST + APP.replace("--chown", "--chmod=600 --chown", 1), {OWNER}),
    "both-versions-looked-up": (
        f"{BASE}COPY requirements.txt wheels /w/\nRUN pip install --no-cache-dir /w/louder-1.0*.whl\n{APP}",
        {INSTALLS},
    ),
    "installed-when-it-starts": (
        f"{BASE}COPY --chown=1000 . /app/\nUSER 1000\nENV HOME=/tmp\n"
        "CMD pip install -q --no-index -f /app/wheels -r /app/requirements.txt && python3 /app/app.py\n",
        {WORKS},
    ),
    "words-typed-into-the-app": (
        f"{FIRST}RUN printf 'import sys\\nfrom louder import loud\\n"
        'print(loud("word%%06d" %% int((sys.argv + ["0"])[1])))\' > /app/app.py && chown 1000 /app/app.py\n'
        'COPY --chown=1000 words.txt /app/\nUSER 1000\nCMD ["python3", "/app/app.py"]\n',
        {WORKS},
    ),
    "the-starter": (copy_order.STARTER, {EDIT, ONCE}),
    "chown-flag-only": (f"{BASE}COPY --chown=1000 . /app/\n{INSTALL}{START}", {EDIT}),
    "link-before-the-install": (f"{BASE}COPY --link --chown=1000 . /app/\n{INSTALL}{START}", {EDIT}),
    "chown-in-a-run-above-the-app": (
        f"{FIRST}COPY words.txt /app/\nRUN chown -R 1000 /app\nCOPY --chown=1000 app.py /app/\n{START}",
        {ONCE},
    ),
    "all-packages-copied-with-those-of-the-base": (
        f"""\
{BASE.strip()} AS build
COPY requirements.txt wheels /w/
RUN pip install --no-index --find-links=/w -r /w/requirements.txt
{BASE}COPY --from=build /usr/local/lib/python3.13/site-packages /usr/local/lib/python3.13/site-packages
{APP}""",
        {ONCE},
    ),
    "no-owner": (f"{FIRST}COPY app.py words.txt /app/\n{START}", {OWNER}),
    "a-name-in-the-run": (
        f"{BASE}COPY wheels /w/\nRUN pip install --no-cache-dir --no-index --find-links=/w louder\n{APP}",
        {WORKS},
    ),
    "a-version-in-the-run": (
        f"{BASE}COPY requirements.txt /app/\nCOPY wheels /w/\n"
        f"RUN pip install --no-cache-dir --no-index --find-links=/w louder==1.0\n{APP}",
        {INSTALLS},
    ),
    "the-app-left-out": (FIRST, {WORKS, OWNER, INSTALLS}),
    "the-app-written-by-a-run": (
        f"""\
{FIRST}COPY --chown=1000 words.txt /app/
RUN echo "print('WORD000007')" > /app/app.py && chown 1000 /app/app.py
{START}""",
        {WORKS, INSTALLS},
    ),
    "nothing-installed": (f"{BASE}{APP}", {WORKS, INSTALLS}),
    "the-same-in-a-comment": (f"# COPY requirements.txt /app/\n{copy_order.STARTER}", {EDIT, ONCE}),
}
