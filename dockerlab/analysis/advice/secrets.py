"""Secrets in the history, the environment or a layer. Names and lengths are shown, values never."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import Evidence, Finding, lines_of
from dockerlab.analysis.history import Row, readable
from dockerlab.analysis.ledger import Claim
from dockerlab.analysis.toml import tomllib
from dockerlab.dockerfile.instruction import COPIES
from dockerlab.image.image import recorded

MOST_READ = 1_000_000  # bytes: a file that holds a key or a password is small
_NAME = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE)$|(?:^|_)(?:SECRET|PASS|PWD|TOKEN|API_?KEY|SECRET_KEY_BASE|CREDENTIALS?"
    r"|(?:ACCESS|SECRET|PRIVATE|ACCOUNT|STORAGE|SIGNING|ENCRYPTION)_KEY)$",
    re.IGNORECASE,
)
# What stands where a secret would, and is none: nothing, a switch, a number, a time, a path, what is put in
# later, where to find it, a pattern, a word that asks to be replaced. A weak password is one all the same.
_NO_VALUE = re.compile(
    r"|true|false|yes|no|on|off|y|n|none|null|nil|undefined|enabled?|disabled?|required|optional"
    r"|[-+]?\d{1,6}(\.\d+)?%?|(\d+(\.\d+)?\s?(ns|us|ms|s|m|h|d|w|y|secs?|mins?|hours?|days?|[kmg]i?b?))+"
    r"|\.{0,2}/\S*|~/\S*|[a-z]:\\\S*|[\w.-]*\$[\w{(].*|`.*|%\w+%|.*\{\{.*|@\w+@|<.*>|\[.*|\.\*.*|x+|\*+|\.{2,}|-"
    r"|(https?|file|vault|ref|op|sm|ssm|arn|secretref|(azure)?keyvault|env|gsm)(\+\w+)?:(?!//[^/]*:[^/]*@).*"
    r"|.*(change[-_ ]?(me|it|this)|replace[-_ ]?(me|this|with)|place[-_]?holder|dummy|insert[-_]|your[-_]?"
    r"|example|not[-_]?(a[-_]?)?(real|secret|used|needed)|unused|ignored|todo|fixme|to[-_]be[-_]).*",
    re.IGNORECASE,
)
_ARGS = re.compile(r"^(?:RUN )?\|(\d+) (.*?)(?= /\S+ |$)", re.DOTALL)
_PAIR = re.compile(r"(?<![\w$])([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)")
_NOT_OURS = re.compile(
    r"(.*/)?(node_modules|site-packages|dist-packages|gems|pkg/mod|tests?|specs?|__tests__|testdata|fixtures"
    r"|samples?|examples?|docs?)/"
)
_OF_A_PACKAGE = re.compile(
    r"usr/(lib|share)/|etc/ssl/private/ssl-cert-snakeoil\.key$"
)  # when a RUN brings it
_MOUNT = (
    "Give it to the one RUN that needs it: `RUN --mount=type=secret,id=NAME`, "
    "and `build --secret id=NAME,...`."
)
_RENEW = " Treat the value as known to everyone who has the image, and renew it."


@dataclass(frozen=True)
class _SecretFile:
    """Files that hold a secret: by name, and by what is in them."""

    what: str
    names: str
    content: str
    code: str = "secret-in-file"
    note: str = ""

    def holds(self, claim: Claim, case: Case) -> bool:
        """Tell whether a file is one of these."""
        return (
            re.fullmatch(rf"(?:.*/)?(?:{self.names})", claim.path) is not None
            and re.search(self.content.encode(), case.read(claim), re.MULTILINE | re.DOTALL) is not None
        )


def _table() -> tuple[tuple[tuple[str, re.Pattern[str]], ...], tuple[_SecretFile, ...]]:
    data = tomllib.loads(resources.files(__package__).joinpath("secrets.toml").read_text(encoding="utf-8"))
    texts = tuple((row["what"], re.compile(row["pattern"])) for row in data["texts"])
    return texts, tuple(_SecretFile(**row) for row in data["files"])


_PATTERNS, _FILES = _table()


def find(case: Case) -> Iterator[Finding]:
    """Find them in what this Dockerfile added; what the base brings is its maker's.

    Without the Dockerfile the first rows that made no layer cannot be told from the base's: they
    count as own.
    """
    alone = case.stages is None
    own = [row for row in case.rows if not row.base or (alone and row.layer is None)]
    yield from _in_arguments(case, own)
    yield from _in_environment(own)
    yield from _in_commands(own)
    yield from _in_files(case)


def redacted(text: str) -> str:
    """Return an instruction's text with every value that looks secret taken out."""
    for _, pattern in _PATTERNS:
        text = pattern.sub(lambda found: "…" if _is_value(found) else found.group(0), text)
    return _PAIR.sub(lambda pair: f"{pair[1]}=…" if _looks_secret(pair[1], pair[2]) else pair[0], text)


def _looks_secret(name: str, value: str) -> bool:
    return bool(_NAME.search(name)) and _NO_VALUE.fullmatch(value.strip("\"'")) is None


def _is_value(found: re.Match[str]) -> bool:
    """Tell whether what a pattern found is a secret: no variable, and no word that stands for one."""
    value = found.groupdict().get("value")
    return value is None or _NO_VALUE.fullmatch(value) is None


def _in_arguments(case: Case, rows: list[Row]) -> Iterator[Finding]:
    """Find values of build arguments: `RUN |1 TOKEN=value /bin/sh -c ...`, `ARG TOKEN=value`."""
    found: dict[str, list[tuple[Row, str]]] = {}
    for row in rows:
        match = _ARGS.match(row.created_by)
        if match:
            pairs = _PAIR.findall(match.group(2))
        else:
            text = recorded(row.created_by)
            pairs = _PAIR.findall(text) if text.startswith("ARG ") else []
        for name, value in pairs:
            if _looks_secret(name, value):
                found.setdefault(name, []).append((row, value))
    for name, seen in found.items():
        where = [row for row, _ in seen]
        declared = [
            instruction.line
            for instruction in case.instructions.values()
            if instruction.keyword == "ARG" and name in instruction.names
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
        text = recorded(row.created_by)
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
        if row.keyword == "RUN":
            for name, value in _PAIR.findall(readable(row.created_by)):
                if _looks_secret(name, value):
                    yield _finding(
                        "secret-in-history",
                        f"{row.where} sets {name}: its value stands in the image's history",
                        _MOUNT + _RENEW,
                        [row],
                        _masked(name, value, row),
                    )
        for what, pattern in _PATTERNS:
            for match in pattern.finditer(row.created_by):
                if match.group(0) in seen or not _is_value(match):
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
            or (claim.stored_by.keyword == "RUN" and _OF_A_PACKAGE.match(claim.path))
        ):
            continue
        held = next((kind for kind in _FILES if kind.holds(claim, case)), None)
        if held is not None:
            yield _file(claim, held)


def _file(claim: Claim, kind: _SecretFile) -> Finding:
    gone = claim.wasted_by is not None
    after = f"; {claim.wasted_by.where} takes it away, but the layer keeps it" if claim.wasted_by else ""
    environment = kind.code == "env-file"
    by_copy = claim.stored_by.keyword in COPIES
    change = _MOUNT if not by_copy or not environment else "Pass the settings when the container starts."
    if by_copy:
        change = f"Add `**/{claim.path.rpartition('/')[2]}` to .dockerignore. {change}"
    return Finding(
        code="secret-in-deleted-file" if gone and not environment else kind.code,
        title=f"{claim.stored_by.where} stores /{claim.path}, which holds {kind.what}{after}",
        change=change + ("" if kind.note else _RENEW),
        where=claim.stored_by.where,
        lines=lines_of([claim.stored_by, *([claim.wasted_by] if claim.wasted_by else [])]),
        evidence=(Evidence(f"/{claim.path}", claim.bytes, claim.stored_by.where),),
        note=kind.note,
        secret=True,
    )


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
