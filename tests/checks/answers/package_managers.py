"""Answers to exercise 03.

Right: lists and caches in no layer, however it is written.
"""

from __future__ import annotations

from dockerlab.checks.exercises import package_managers

PIP = "RUN pip install --no-cache-dir langdetect\n"
APT = """\
RUN apt-get update && apt-get install -y --no-install-recommends jq \\
 && rm -rf /var/lib/apt/lists/*
"""
BASE = f"FROM python:3.13-slim\n{PIP}"
NO_HOOK = "RUN rm /etc/apt/apt.conf.d/docker-clean\n"
LISTS_MOUNT = "--mount=type=cache,target=/var/lib/apt/lists,sharing=locked"
APT_MOUNT = "--mount=type=cache,target=/var/cache/apt,sharing=locked"

RIGHT = {
    "cleaned-up-by-pip-and-apt": """\
FROM python:3.13-slim
RUN pip install langdetect && pip cache purge \\
 && apt-get update && apt-get install -y --no-install-recommends jq && apt-get distclean
""",
    "packages-of-a-stage": f"""\
FROM python:3.13-slim AS build
RUN pip install --prefix=/install langdetect
FROM python:3.13-slim
{APT}COPY --from=build /install /usr/local
""",
    "an-entry-point-and-another-user": f'{BASE}{APT}USER nobody\nWORKDIR /srv\nENTRYPOINT ["jq"]\n',
    "one-more-package": f"{BASE}{APT.replace(' jq ', ' jq less ')}",
    "the-cache-removed-in-time": (
        f"FROM python:3.13-slim\nRUN pip install langdetect && rm -rf /root/.cache\n{APT}"
    ),
    "same-run": BASE + APT,
    "mounts": f"""\
FROM python:3.13-slim
RUN --mount=type=cache,target=/root/.cache/pip pip install langdetect
{NO_HOOK}\
RUN {APT_MOUNT} {LISTS_MOUNT} \\
    apt-get update && apt-get install -y --no-install-recommends jq
""",
    "one-heredoc-that-removes-all": """\
FROM python:3.13-slim
RUN <<EOF
set -e
rm /etc/apt/apt.conf.d/docker-clean
pip install langdetect
apt-get update
apt-get install -y --no-install-recommends jq
rm -rf /root/.cache /var/lib/apt/lists/* /var/cache/apt/*
EOF
""",
    "a-setting-for-pip": f"""\
FROM python:3.13-slim
ENV PIP_NO_CACHE_DIR=1
RUN pip install langdetect
{APT}""",
    "a-stage-for-pip": f"""\
FROM python:3.13-slim AS work
RUN pip install --target /opt/lib langdetect
FROM python:3.13-slim
ENV PYTHONPATH=/opt/lib
COPY --from=work /opt/lib /opt/lib
{APT}""",
}

JQ, LANGDETECT, LISTS, KEPT_BY_APT, KEPT_BY_PIP = range(5)  # the rules, in order

WRONG = {
    "the-lists-moved": (
        f"{BASE}RUN apt-get update && apt-get install -y --no-install-recommends jq"
        " && mv /var/lib/apt/lists /srv/l\n",
        {LISTS},
    ),
    "jq-that-knows-one-answer": (f"{BASE}RUN printf 'echo 42' > /bin/jq && chmod +x /bin/jq\n", {JQ}),
    "langdetect-that-knows-german": (
        "FROM python:3.13-slim\n"
        "RUN echo 'detect = lambda text: \"de\"' > /usr/local/lib/python3.13/langdetect.py\n"
        f"{APT}",
        {LANGDETECT},
    ),
    "the-starter": (package_managers.STARTER, {LISTS, KEPT_BY_APT, KEPT_BY_PIP}),
    "clean-in-a-later-run": (
        f"{BASE}{NO_HOOK}{APT}RUN apt-get clean\n",
        {KEPT_BY_APT},
    ),
    "only-the-lists-mounted": (
        f"""\
{BASE}{NO_HOOK}\
RUN {LISTS_MOUNT} apt-get update && apt-get install -y --no-install-recommends jq
""",
        {KEPT_BY_APT},
    ),
    "purge-in-a-later-run": (
        f"FROM python:3.13-slim\nRUN pip install langdetect\nRUN pip cache purge\n{APT}",
        {KEPT_BY_PIP},
    ),
    "a-cache-in-another-folder": (
        f"FROM python:3.13-slim\nRUN pip install --cache-dir /opt/c langdetect\n{APT}",
        {KEPT_BY_PIP},
    ),
    "lists-left": (
        f"{BASE}RUN apt-get update && apt-get install -y --no-install-recommends jq && apt-get clean\n",
        {LISTS},
    ),
    "langdetect-left-out": (f"FROM python:3.13-slim\n{APT}", {LANGDETECT}),
    "jq-in-a-mount": (
        f"""\
{BASE}\
RUN --mount=type=cache,target=/usr/bin,from=python:3.13-slim,source=/usr/bin \\
    apt-get update && apt-get install -y --no-install-recommends jq && rm -rf /var/lib/apt/lists/*
""",
        {JQ},
    ),
}
