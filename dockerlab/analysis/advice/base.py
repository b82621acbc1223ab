"""The base image: one with a slimmer sibling, or one that is a toolchain."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockerlab.analysis.advice.case import Case
from dockerlab.analysis.advice.finding import Finding
from dockerlab.image.reference import parsed
from dockerlab.units import human_bytes

# Official images on Docker Hub whose Debian-based tags have a "-slim" form.
_SLIM = frozenset(
    {"debian", "elixir", "erlang", "haskell", "node", "perl", "pypy", "python", "ruby", "rust", "swift"}
)
_SMALL = re.compile(r"slim|alpine|distroless|windows|nanoserver|busybox|onbuild|minimal")
_TOOLCHAINS = frozenset(
    {"gcc", "golang", "gradle", "maven", "rust", "haskell", "swift", "mcr.microsoft.com/dotnet/sdk"}
)
_SUITE = re.compile(r"(bookworm|bullseye|buster|trixie|forky|sid)$")
_SUFFIXED = frozenset({"debian", "node"})  # python:3.12-slim-trixie, but node:22-trixie-slim


def find(case: Case) -> Iterator[Finding]:
    """Look at the base of the final stage; what a sibling saves is known only where that image is at hand."""
    name = parsed(case.base or "")
    if name is None or name.tag is None or name.digest or case.stages is None:
        return
    short, tag = name.familiar.rpartition(":")[0], name.tag
    line = case.stages.chain[0].from_.line
    carried = case.book.base.content
    stand_in = " It is a stand-in here: the real image has other bytes." if case.image.stand_in else ""
    if short in _TOOLCHAINS and not _SMALL.search(tag):
        yield Finding(
            code="toolchain-base",
            title=f"line {line} ends in {case.base}, a compiler's image of {human_bytes(carried)}",
            change="Keep it for a build stage; begin the final stage FROM a small base and `COPY --from` the "
            "program.",
            where=f"line {line}",
            lines=(line,),
            bytes=carried,
            note=f"What the program needs at run time, and so what this saves, is not measured.{stand_in}",
        )
        return
    sibling = slimmer(short, tag)
    if sibling is None:
        return
    found = case.find_image(sibling)
    saves = None if found is None else carried - found.size_unpacked
    if saves is not None and saves <= 0:
        return
    note = (
        f"What {sibling} holds is not measured: it is not at hand here."
        if saves is None
        else (f"Measured on the {sibling} that is at hand here.")
    )
    yield Finding(
        code="slimmer-base",
        title=f"line {line}: {case.base} ({human_bytes(carried)}) has a slimmer sibling, {sibling}",
        change=f"Write `FROM {sibling}` if the program runs there: it lacks compilers and many libraries.",
        where=f"line {line}",
        lines=(line,),
        bytes=carried,
        saves_bytes=saves,
        note=note + stand_in,
    )


def slimmer(repository: str, tag: str) -> str | None:
    """Return the slim sibling's reference of an official image, or None where there is none."""
    if repository not in _SLIM or _SMALL.search(tag) or "-" in _SUITE.sub("", tag).rstrip("-"):
        return None
    if not tag or tag == "latest":
        return f"{repository}:{'stable-slim' if repository == 'debian' else 'slim'}"
    suite = _SUITE.search(tag)
    if repository in _SUFFIXED or suite is None:
        return f"{repository}:{tag}-slim"
    version = tag[: suite.start()].rstrip("-")
    return f"{repository}:{version + '-' if version else ''}slim-{suite.group(0)}"
