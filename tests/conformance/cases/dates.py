"""SOURCE_DATE_EPOCH (BuildKit, docs/build-repro.md): the dates of the image and of its history."""

from __future__ import annotations

from tests.conformance.case import Again, Case

EPOCH = {"SOURCE_DATE_EPOCH": "1000000000"}
STEPS = "LABEL a=1\nWORKDIR /srv/new\nCOPY a /x/y/\nRUN echo 1 > /tmp/f\nCMD true\n"
FILES = {"a": "dates @nonce\n"}

CASES = [
    Case("epoch", f"FROM @base\n{STEPS}", FILES, EPOCH, dates=True),
    Case("epoch-stages", f"FROM @base AS one\n{STEPS}FROM one\nRUN : two\n", FILES, EPOCH, dates=True),
    Case("epoch-scratch", "FROM scratch\nCOPY a /\n", FILES, EPOCH, dates=True),
    Case("epoch-only-metadata", "FROM @base\nLABEL a=1\n", {}, EPOCH, dates=True),
    Case(
        "epoch-argument",
        "FROM @base\nRUN echo [$SOURCE_DATE_EPOCH] > /tmp/f\n"
        "ARG SOURCE_DATE_EPOCH\nRUN echo [$SOURCE_DATE_EPOCH] > /tmp/g\n",
        {},
        EPOCH,
        dates=True,
    ),
    Case(
        "epoch-another",
        f"FROM @base\nWORKDIR /epoch-another\n{STEPS}",
        FILES,
        EPOCH,
        again=Again(
            build_args={"SOURCE_DATE_EPOCH": "1200000000"},
            reason='SOURCE_DATE_EPOCH was "1000000000", is "1200000000"',
        ),
        dates=True,
        differs="epoch-workdir",
    ),
    Case(
        "epoch-workdir",
        "FROM @base\nWORKDIR /srv/new/er\nWORKDIR /srv/app\n",
        {},
        {"SOURCE_DATE_EPOCH": "2000000000"},
        mtimes=("srv/new/er", "srv/app"),
        dates=True,
        differs="epoch-workdir",
    ),
    Case("epoch-in-file", "ARG SOURCE_DATE_EPOCH=5\nFROM @base\nLABEL a=1\n", dates=True),
    Case("epoch-empty", f"FROM @base\n{STEPS}", FILES, {"SOURCE_DATE_EPOCH": ""}),
    Case("epoch-before-1970", "FROM @base\nLABEL a=1\n", {}, {"SOURCE_DATE_EPOCH": "-5"}, dates=True),
    Case("epoch-bad", f"FROM @base\n{STEPS}", FILES, {"SOURCE_DATE_EPOCH": "1.5"}, refused="EPOCH"),
    Case("epoch-files", "FROM @base\nCOPY a /x/\n", FILES, EPOCH, mtimes=("x/a",), differs="epoch-files"),
]
