"""Every link leads somewhere: to files and headings here, to official sources elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from dockerlab.checks import Report, Verdict
from tools.course import ROOT, read_course
from tools.notebooks import EXECUTED, UNEXECUTED

LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HTML_LINK = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"(?P<target>[^\"]+)\"")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*(?P<target>\S+)", re.MULTILINE)
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)

# Who may be linked to: those who make what the course is about. A host, or a path on it.
OFFICIAL = (
    "docs.docker.com/",
    "docs.kernel.org/",
    "docs.python.org/",
    "pip.pypa.io/",
    "github.com/opencontainers/",
    "github.com/moby/",
    "github.com/goldmann/docker-squash",
    "github.com/hadolint/hadolint",
    "github.com/wagoodman/dive",
    "keepachangelog.com/",
    "semver.org/",
    "mybinder.org/",
    "github.com/codespaces/",
    "codespaces.new/",
    "tljh.jupyter.org/",
    "z2jh.jupyter.org/",
    "jupyterhub.readthedocs.io/",
    "nbgitpuller.readthedocs.io/",
)


def pages() -> list[Path]:
    """List the Markdown files and notebooks that people read."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    for folder in {*EXECUTED, *UNEXECUTED} - {"tests/browser"}:
        found += (ROOT / folder).glob("*.ipynb")
    return sorted(found)


def prose(path: Path) -> str:
    """Return the Markdown of a page, without the code that it shows."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4)["cells"]
        text = "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    return FENCE.sub("", text)


def targets(text: str) -> Iterator[str]:
    """Yield what the links and pictures of a Markdown text point at."""
    for pattern in (LINK, HTML_LINK, REFERENCE):
        for match in pattern.finditer(text):
            yield match["target"]


def anchors(path: Path) -> set[str]:
    """Return the headings of a page as links name them: JupyterLab's way in a notebook, else GitHub's."""
    found = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title) for title in HEADING.findall(prose(path)))
    if path.suffix == ".ipynb":
        return {title.replace(" ", "-") for title in found}
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def fault(page: Path, target: str, root: Path = ROOT) -> str | None:
    """Say what is wrong with a link of a page below `root`, or None."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        if parts.scheme != "https":
            return "not https"
        official = f"{parts.netloc}{parts.path or '/'}".startswith(OFFICIAL)
        return None if official else "no official source"
    path = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
    if not path.exists():
        return "no such file"
    if not path.is_relative_to(root):
        return "not in this repository"
    if parts.fragment and unquote(parts.fragment) not in anchors(path):
        return "no such heading"
    return None


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file and a heading that are there; each other one an official source."""
    wrong = [(target, why) for target in targets(prose(page)) if (why := fault(page, target))]
    assert wrong == []


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("docs/nothing.md", "no such file"),
        ("../outside.md", "no such file"),
        ("docs/json.md#no-such-heading", "no such heading"),
        ("#nothing", "no such heading"),
        ("http://docs.docker.com/", "not https"),
        ("https://docs.docker.com.example.org/", "no official source"),
        ("https://github.com/somebody/else", "no official source"),
        ("docs/json.md#dockerlab-ledger", None),
        ("notebooks/00-start-here.ipynb#Build-it-again", None),
        ("notebooks/00-start-here.ipynb#build-it-again", "no such heading"),
        ("#two-commands", None),
        ("https://docs.docker.com/build/", None),
    ],
)
def test_what_is_wrong_with_a_link_is_seen(target: str, why: str | None) -> None:
    """A dead file, a dead heading, plain http and a stranger are told apart from links that are right."""
    assert fault(ROOT / "README.md", target) == why


def test_links_are_seen_in_each_form() -> None:
    """Links in line, with a title, as HTML and as references count; what stands in a code block does not."""
    text = '[a](1) [b](2 "two") ![c](3)\n<img src="4"> <a class="x" href="5">\n[d]: 6\n```\n[no](7)\n```\n'
    assert sorted(targets(FENCE.sub("", text))) == ["1", "2", "3", "4", "5", "6"]


def test_each_lesson_names_the_next() -> None:
    """The last line of a lesson links to the next one, by the number and title that course.toml gives it."""
    lessons = read_course().lessons
    for lesson, after in pairwise(lessons):
        last = nbformat.read(ROOT / lesson.notebook, as_version=4)["cells"][-1]["source"].splitlines()[-1]
        assert last == f"Next: [{after.name[:2]} {after.title}]({after.name}.ipynb)", lesson.name


def test_each_lesson_leads_to_its_exercises() -> None:
    """Before what to remember, a lesson has a part "Your turn" which links to each of its exercises."""
    for lesson in read_course().lessons:
        last = nbformat.read(ROOT / lesson.notebook, as_version=4)["cells"][-1]["source"]
        _, _, turn = last.partition("## Your turn\n")
        wanted = [f"../exercises/exercise-{name}.ipynb" for name in lesson.tasks]
        assert wanted
        assert list(targets(turn.partition("\n## Remember\n")[0])) == wanted, lesson.name


def test_a_reports_link_is_the_anchor_of_the_heading() -> None:
    """A failed check links to its lesson's heading the way JupyterLab names it, which this test looks for."""
    verdict = Verdict("smaller", False, "1", "0", "Build it again")
    html = Report("00", (verdict,), "an engine", lesson="../notebooks/00-start-here.ipynb").html()
    (target,) = targets(html)
    assert fault(ROOT / "exercises" / "exercise-02-run-chaining.ipynb", target) is None
