"""Exercise 08: a generator and what it makes on the way stay out of the image that serves the page.

Right is whatever leaves tools and source behind and keeps the page: a stage of its own for the work, from a
base or from scratch, bind mounts, a squash that leaves them out. Perl is in the base, so
no network is needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from dockerlab.checks.rules import (
    bytes_at_most,
    content_in_no_layer,
    runs_again_at_most,
    same_file,
)
from dockerlab.checks.verdict import Verdict
from dockerlab.context.context import File
from dockerlab.engines.results import Build, Engine

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

CONTEXT: Mapping[str, str | bytes | File] = {
    "make-index.pl": _MAKE_INDEX,
    "make-page.pl": _MAKE_PAGE,
    "pages.txt": "word1\nword20\nword300\n",
    "style.css": "p { font-family: sans-serif }\n",
}

INDEX, PAGE_SOURCE, PAGE = "build/index.txt", "build/make-page.pl", "srv/site/page.html"
STYLE = "srv/site/style.css"
SPARE = 1_000_000  # bytes over the base and the page: for what a tidy image may hold besides

WHY, LOOK, COPY, CHANGE = "Why", "Look", "What comes along with COPY --from", "Change one thing"


def rules(attempt: Build, starter: Build, engine: Engine) -> list[Verdict]:
    """Measure that the page is right, that what made it is gone, and what an edit of its text runs again."""
    return [
        same_file(
            attempt,
            starter,
            path=PAGE,
            rule=f"/{PAGE} is there, made from pages.txt and the index",
            look=LOOK,
        ),
        same_file(attempt, starter, path=STYLE, rule=f"/{STYLE} is there: the page needs it", look=COPY),
        content_in_no_layer(
            attempt, starter, path=INDEX, rule="The index is in no layer, under no name", look=WHY
        ),
        content_in_no_layer(
            attempt, starter, path=PAGE_SOURCE, rule="The generator's source is in no layer", look=WHY
        ),
        bytes_at_most(
            attempt,
            budget=base_bytes(starter) + SPARE,
            rule="The image fits its budget: the starter's base and 1 MB",
            look=LOOK,
        ),
        runs_again_at_most(
            attempt,
            engine=engine,
            context=CONTEXT,
            path="pages.txt",
            limit=1,
            rule="An edit of pages.txt runs one RUN again at most",
            look=WHY,
        ),
    ]


def base_bytes(starter: Build) -> int:
    """Return the bytes of the starter's base, unpacked."""
    return sum(layer.size_unpacked for layer in starter.image.layers[: starter.image.base_layers])
