"""Exercise 08: a generator and what it makes on the way stay out of the image that serves the page.

Right is whatever leaves tools and source behind and keeps the page: a stage of its own for the work, from a
base or from scratch, bind mounts, a squash that leaves them out. Perl is in the base, so
no network is needed.
"""

from __future__ import annotations

from dockerlab.checks.rules import (
    Found,
    answers,
    rule,
    runs_again_at_most,
    same_files,
    untouched_by,
)
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict
from dockerlab.units import human_bytes

STARTER = """\
FROM debian:trixie-slim
WORKDIR /build
COPY . .
RUN perl make-index.pl
RUN perl make-page.pl
RUN mkdir -p /srv/site && cp page.html style.css /srv/site/
CMD ["cat", "/srv/site/page.html"]
"""

_MAKE_INDEX = """\
# Makes an index of many words: large, slow, and needed by make-page.pl only.
open my $index, '>', 'index.txt' or die;
print $index "word$_ ", ($_ * 7919) % 100003, "\\n" for 1 .. 900000;
"""
_MAKE_PAGE = """\
# Makes the page of pages.txt, with the rank of each word from the index.
my %rank;
open my $index, '<', 'index.txt' or die "there is no index.txt: run make-index.pl first\\n";
while (<$index>) { my ($word, $rank) = split; $rank{$word} = $rank if $. <= 1000; }
open my $words, '<', 'pages.txt' or die;
open my $page, '>', 'page.html' or die;
print $page "<link rel=stylesheet href=style.css>\\n";
while (<$words>) { chomp; next if /^#/ || !length; print $page "<p>$_: $rank{$_}\\n"; }
"""

CONTEXT: Files = {
    "make-index.pl": _MAKE_INDEX,
    "make-page.pl": _MAKE_PAGE,
    "pages.txt": "word1\nword20\nword300\n",
    "style.css": "p { font-family: sans-serif }\n",
}

PAGE, STYLE = "srv/site/page.html", "srv/site/style.css"
SPARE = 1_000_000  # bytes over the base: for the page, and what a tidy image may hold besides

WHY, LOOK, COPY, CHANGE = "Why", "Look", "What comes along with COPY --from", "Change one thing"


def rules(trial: Trial) -> list[Verdict]:
    """Measure that the page is right, that what made it is gone, and what an edit of its text runs again."""
    draw = trial.draw
    factor, mark = draw.randrange(1000, 90000) * 2 + 1, f"{draw.getrandbits(32):08x}"
    edits: Files = {
        "make-index.pl": _MAKE_INDEX.replace("7919", str(factor)),
        "make-page.pl": _MAKE_PAGE.replace("<p>", f"<p id={mark}>"),
        "pages.txt": "".join(f"word{draw.randrange(1, 1000)}\n" for _ in range(9)),
        "style.css": f"p {{ color: #{mark[:6]} }}\n",
    }
    programs = {path: str(edits[path]) for path in ("make-index.pl", "make-page.pl")}
    remarks: Files = {path: f"{text}# {draw.randbytes(5000).hex()}\n" for path, text in programs.items()}
    words = "|".join(str(edits["pages.txt"]).split())
    index: Files = {  # in which the ranks are others, but those on the page
        "make-index.pl": programs["make-index.pl"].replace("100003", f'100003 + ("word$_" !~ /^({words})$/)')
    }
    return [
        same_files(f"/{PAGE} is there, made from pages.txt and the index", LOOK, trial, [PAGE], edits=edits),
        same_files(f"/{STYLE} is there: the page needs it", COPY, trial, [STYLE], edits=edits),
        _shown("A container shows the page, where there is a program that can", LOOK, trial, edits),
        untouched_by("The index is in no layer, in no form", WHY, trial, index, edits=edits),
        untouched_by("The programs are in no layer, in no form", WHY, trial, remarks, edits=edits),
        _adds_little("The image adds at most 1 MB to its base", LOOK, trial),
        runs_again_at_most("An edit of pages.txt runs one RUN again at most", WHY, trial, "pages.txt", 1),
    ]


@rule
def _shown(trial: Trial, edits: Files) -> Found:
    """Start the image as it says itself; one with no program in it, as on scratch, cannot be started."""
    tree = trial.again(edits).image.tree()
    if not any(
        node.entry.mode & 0o111 and node.entry.kind == "file" for path in tree if (node := tree.get(path))
    ):
        return Found(True, "there is no program in the image", "the page")
    asked = answers("", "", trial, [None], edits=edits)
    return Found(asked.passed, asked.measured, asked.target)


@rule
def _adds_little(trial: Trial) -> Found:
    """Sum what is on top of the base; a squash has the base in a layer of its own."""
    base = sum(layer.size_unpacked for layer in trial.starter.image.layers[: trial.starter.image.base_layers])
    own = sum(layer.size_unpacked for _, layer in trial.own(trial.attempt))
    size = min(own, max(0, trial.attempt.image.size_unpacked - base))
    return Found(size <= SPARE, human_bytes(size), f"at most {human_bytes(SPARE)}")
