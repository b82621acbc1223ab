"""Secrets in the history, the environment or a layer. Names and lengths are shown, values never."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import Evidence, Finding, lines_of
from dockerlab.analysis.history import Row
from dockerlab.analysis.ledger import Claim

MOST_READ = 65_536  # bytes: a file that holds a key or a password is small
_NAME = re.compile(
    r"(?:^|_)(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(r"|/\S*|\$\{?\w+\}?.*|true|false|none|null|\d{1,6}|x+|\*+|<.*>", re.IGNORECASE)
_ARGS = re.compile(r"^(?:RUN )?\|(\d+) (.*?)(?= /\S+ |$)", re.DOTALL)
_PAIR = re.compile(r"(?<![\w$])([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)")
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key id", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[\w-]{10,}")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("a PyPI token", re.compile(r"\bpypi-AgEI\w{20,}")),
    ("a Google API key", re.compile(r"\bAIza[\w-]{35}\b")),
    ("a Stripe key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("a password in a URL", re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@$]+:(?!\$)[^/\s@]+@")),
    (
        "a bearer token",
        re.compile(r"\bAuthorization:\s*(?:Bearer|Basic|token)\s+(?!\$)[\w.+/=-]{8,}", re.IGNORECASE),
    ),
)
_FILES: tuple[tuple[re.Pattern[str], re.Pattern[bytes], str], ...] = (
    (
        re.compile(r"(.*/)?(id_(rsa|dsa|ecdsa|ed25519)|[^/]*\.(pem|key|ppk))$"),
        re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|PuTTY-User-Key-File"),
        "a private key",
    ),
    (
        re.compile(r"(.*/)?\.npmrc$"),
        re.compile(rb"_(?:authToken|auth|password)\s*=\s*(?!\$\{)\S"),
        "an npm login",
    ),
    (re.compile(r"(.*/)?\.?_?netrc$"), re.compile(rb"\bpassword\s+\S"), "a password"),
    (re.compile(r"(.*/)?\.pypirc$"), re.compile(rb"(?m)^\s*password\s*[:=]\s*\S"), "a PyPI login"),
    (re.compile(r"(.*/)?\.aws/credentials$"), re.compile(rb"aws_secret_access_key\s*=\s*\S"), "an AWS login"),
    (re.compile(r"(.*/)?\.docker/config\.json$"), re.compile(rb'"auth"\s*:\s*"[^"]'), "a registry login"),
    (re.compile(r"(.*/)?\.git-credentials$"), re.compile(rb"://[^:\s]+:[^@\s]+@"), "a git login"),
    (
        re.compile(r"(.*/)?\.env(\.local|\.[^/.]+\.local)?$"),
        re.compile(rb"(?m)^\s*(?:export\s+)?\w+\s*=\s*\S"),
        "settings",
    ),
)
_NOT_OURS = re.compile(
    r"(.*/)?(node_modules|site-packages|dist-packages|tests?|testdata|fixtures|examples?|doc)/"
)
_MOUNT = (
    "Give it to the one RUN that needs it: `RUN --mount=type=secret,id=NAME`, "
    "and `build --secret id=NAME,...`."
)
_RENEW = " Treat the value as known to everyone who has the image, and renew it."


def find(case: Case) -> Iterator[Finding]:
    """Find them in what this Dockerfile added; what the base brings is its maker's.

    Without the Dockerfile the first rows that made no layer cannot be told from the base's: they
    count as own.
    """
    alone = case.dockerfile is None
    own = [row for row in case.rows if not row.base or (alone and row.layer is None)]
    yield from _in_arguments(case, own)
    yield from _in_environment(own)
    yield from _in_commands(own)
    yield from _in_files(case)


def redacted(text: str) -> str:
    """Return an instruction's text with every value that looks secret taken out."""
    for _, pattern in _PATTERNS:
        text = pattern.sub("…", text)
    return _PAIR.sub(lambda pair: f"{pair[1]}=…" if _looks_secret(pair[1], pair[2]) else pair[0], text)


def _looks_secret(name: str, value: str) -> bool:
    return bool(_NAME.search(name)) and _NO_VALUE.fullmatch(value.strip("\"'")) is None


def _in_arguments(case: Case, rows: list[Row]) -> Iterator[Finding]:
    """Find values of build arguments: `RUN |1 TOKEN=value /bin/sh -c ...`, `ARG TOKEN=value`."""
    found: dict[str, list[tuple[Row, str]]] = {}
    for row in rows:
        match = _ARGS.match(row.created_by)
        if match:
            pairs = _PAIR.findall(match.group(2))
        else:
            text = row.created_by.partition("#(nop)")[2].strip() or row.created_by
            pairs = _PAIR.findall(text) if text.startswith("ARG ") else []
        for name, value in pairs:
            if _looks_secret(name, value):
                found.setdefault(name, []).append((row, value))
    for name, seen in found.items():
        where = [row for row, _ in seen]
        declared = [
            one.line
            for one in case.instructions.values()
            if one.keyword == "ARG" and any(word.partition("=")[0] == name for word in one.args)
        ]
        found_here = _finding(
            "secret-in-arg",
            f"the value of the build argument {name} stands in the image's history",
            _MOUNT + _RENEW,
            where,
            _masked(name, seen[0][1], where[0]),
        )
        yield replace(found_here, lines=tuple(sorted({*found_here.lines, *declared})))


def _in_environment(rows: list[Row]) -> Iterator[Finding]:
    for row in rows:
        text = row.created_by.partition("#(nop)")[2].strip() or row.created_by
        if not text.startswith("ENV "):
            continue
        for name, value in _PAIR.findall(text):
            if _looks_secret(name, value):
                yield _finding(
                    "secret-in-env",
                    f"ENV sets {name}: its value stands in the image's config and history",
                    "Pass it when the container starts (`docker run -e`, or a secret of the platform)."
                    + _RENEW,
                    [row],
                    _masked(name, value, row),
                )


def _in_commands(rows: list[Row]) -> Iterator[Finding]:
    seen: set[str] = set()
    for row in rows:
        for what, pattern in _PATTERNS:
            for match in pattern.finditer(row.created_by):
                if match.group(0) in seen:
                    continue
                seen.add(match.group(0))
                yield _finding(
                    "secret-in-history",
                    f"{what} stands in the text of {row.where}, which the image's history keeps",
                    _MOUNT + _RENEW,
                    [row],
                    Evidence(f"{what}, {len(match.group(0))} characters", None, row.where),
                )


def _in_files(case: Case) -> Iterator[Finding]:
    for claim in case.book.claims:
        if (
            claim.stored_by.base
            or claim.bytes > MOST_READ
            or claim.kind == "again"
            or _NOT_OURS.match(claim.path)
        ):
            continue
        for paths, content, what in _FILES:
            if paths.match(claim.path) and content.search(_read(case, claim)):
                yield _file(claim, what)
                break


def _file(claim: Claim, what: str) -> Finding:
    gone = claim.wasted_by is not None
    after = f"; {claim.wasted_by.where} takes it away, but the layer keeps it" if claim.wasted_by else ""
    environment = what == "settings"
    by_copy = claim.stored_by.keyword in ("COPY", "ADD")
    change = _MOUNT if not by_copy or not environment else "Pass the settings when the container starts."
    if by_copy:
        change = f"Add `**/{claim.path.rpartition('/')[2]}` to .dockerignore. {change}"
    return Finding(
        code="env-file" if environment else "secret-in-deleted-file" if gone else "secret-in-file",
        title=f"{claim.stored_by.where} stores /{claim.path}, which holds {what}{after}",
        change=change + ("" if environment else _RENEW),
        where=claim.stored_by.where,
        lines=lines_of([claim.stored_by, *([claim.wasted_by] if claim.wasted_by else [])]),
        evidence=(Evidence(f"/{claim.path}", claim.bytes, claim.stored_by.where),),
        note="Whether its values are secret is not known." if environment else "",
        secret=True,
    )


def _read(case: Case, claim: Claim) -> bytes:
    layer = case.image.layers[(claim.stored_by.layer or 1) - 1]
    entry = next(
        entry
        for entry in reversed(layer.entries)
        if entry.path == claim.path and entry.kind == "file" and entry.size == claim.bytes
    )
    with layer.open(entry) as stream:
        return stream.read()


def _masked(name: str, value: str, row: Row) -> Evidence:
    return Evidence(f"{name}=… ({len(value)} characters)", None, row.where)


def _finding(code: str, title: str, change: str, rows: list[Row], evidence: Evidence) -> Finding:
    return Finding(
        code=code,
        title=title,
        change=change,
        where=rows[0].where,
        lines=lines_of(rows),
        evidence=(evidence,),
        secret=True,
    )
