"""Exercise 05: an edit makes again what depends on it, and nothing else.

Right is whatever keeps the slow step's inputs to those it reads: files copied when they are needed, bind
mounts, stages, the release set last. Both scripts write down when they ran, so a step that ran again shows in
its result.
"""

from __future__ import annotations

import secrets

from dockerlab.checks.rules import Found, ran, rule
from dockerlab.checks.trial import Files, RebuildOptions, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.checks.verdict_text import contrast

STARTER = """\
FROM debian:trixie-slim
ARG RELEASE=dev
ENV RELEASE=$RELEASE
COPY . /src/
RUN sh /src/index.sh /src/words.txt > /srv/index.txt
RUN sh /src/page.sh /src/page.txt /srv/index.txt > /srv/page.txt
CMD ["cat", "/srv/page.txt"]
"""
CONTEXT: Files | None = {
    "index.sh": """\
# The slow part: one second stands for an hour.
sleep 1
echo "index made at $(date +%s%N)"
sort "$1"
""",
    "page.sh": """\
echo "page made at $(date +%s%N), $(($(wc -l < "$2") - 1)) words in the index"
cat "$1"
""",
    "words.txt": "pear\napple\nplum\n",
    "page.txt": "A page about fruit.\n",
}

CHANGE, ORDER, WHY = "Change one thing", "The order that costs least", "Why"  # headings of lesson 05


def rules(trial: Trial) -> list[Verdict]:
    """Edit each input in turn, build again, and see in what the image prints what was made anew.

    The scripts of these builds tell it all on the page: when it and the index were made, and of what words.
    """
    mark, word = secrets.token_hex(6), f"word{secrets.token_hex(6)}"
    files: Files = {
        "index.sh": f'echo "index {mark} made at $(date +%s%N)"\nsort "$1"\n',
        "page.sh": f'echo "page {mark} made at $(date +%s%N)"\ncat "$2" "$1"\n',
        "words.txt": f"pear\napple{mark}\nplum\n",
        "page.txt": f"A page about fruit, {mark}.\n",
    }
    page = {**files, "page.txt": f"A page with {word}.\n"}
    words = {**files, "words.txt": f"pear\n{word}\nplum\n"}
    script = {**files, "page.sh": str(files["page.sh"]).replace("page", f"{word} page", 1)}
    return [
        _shows(
            "An edit of page.txt or page.sh is in what the image prints", WHY, trial, files, [page, script]
        ),
        _keeps("An edit of page.txt does not make the index again", CHANGE, trial, files, page, 1),
        _shows("An edit of words.txt makes the index and the page again", WHY, trial, files, [words]),
        _in_environment(
            "RELEASE is in the image's environment, as it was given to the build", ORDER, trial, files
        ),
        _keeps("Another RELEASE makes neither the index nor the page again", ORDER, trial, files, files, 2),
    ]


def _said(trial: Trial, files: Files, release: str = "release-1") -> list[str]:
    build = trial.again(files, RebuildOptions(build_args={"RELEASE": release}))
    return ran(build, None, engine=trial.engine).output.splitlines()


@rule
def _shows(trial: Trial, before: Files, edited: list[Files]) -> Found:
    """Look for the text of each edit: words sorted, then the page's text; the times are new."""
    for files in edited:
        found, old = _said(trial, files), _said(trial, before)
        order = sorted(str(files["words.txt"]).split())
        wanted = [*order, str(files["page.txt"]).strip()]
        head = str(files["page.sh"]).split(" made")[0].removeprefix('echo "')
        index = str(files["index.sh"]).split(" made")[0].removeprefix('echo "')
        made = [one.startswith(start) for one, start in zip(found, (head, index), strict=False)]
        if found[2:] != wanted or not all(made) or found[0] == old[0]:
            return Found(
                False,
                *contrast(
                    " / ".join(found), f"{head} made at ... / {index} made at ... / {' / '.join(wanted)}"
                ),
            )
        if files["words.txt"] != before["words.txt"] and found[1] == old[1]:
            return Found(False, f"the index is the one from before: {found[1]}", "an index made anew")
    return Found(True, "it is there", "the new text")


@rule
def _keeps(trial: Trial, before: Files, after: Files, parts: int) -> Found:
    """Compare when the index was made; with two parts when the page was too, for another release."""
    old = _said(trial, before)
    new = _said(trial, after, f"release-{secrets.token_hex(4)}") if parts > 1 else _said(trial, after)
    if len(old) < 2 or not old[1].startswith("index"):
        return Found(False, "no index", "the same as before")
    names = ("the index", "the page")[:parts]
    again = [name for name, one, other in zip(names, old[1::-1], new[1::-1], strict=False) if one != other]
    found = f"made again: {' and '.join(again)}" if again else "the same as before"
    return Found(not again, found, "the same as before")


@rule
def _in_environment(trial: Trial, files: Files) -> Found:
    release = f"release-{secrets.token_hex(4)}"
    build = trial.again(files, RebuildOptions(build_args={"RELEASE": release}))
    env = (build.image.config.get("config") or {}).get("Env") or ()
    found = next((one for one in env if one.startswith("RELEASE=")), "it is not set")
    return Found(found == f"RELEASE={release}", found, f"RELEASE={release}")
