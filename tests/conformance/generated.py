"""Cases drawn at random: a context, one to three stages of a few instructions; one seed, one case."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from dockerlab.context.context import File

from .case import Again, Case, Folder, Hard, Item, Link
from .cases.adding import PLAIN

CONTEXT: Mapping[str, Item] = {
    "nonce": "@nonce",
    "a.txt": "a\n",
    "b.txt": File("b\n", 0o640),
    "run.sh": File("#!/bin/sh\necho run\n", 0o755),
    "dir/one.txt": "one\n",
    "dir/two.md": File("two\n", 0o4711),
    "dir/sub/three.txt": File("three\n", 0o600),
    "dir/sub/a.txt": "another a\n",
    "dir/empty": Folder(0o2750),
    "dir/link": Link("one.txt"),
    "dir/away": Link("sub"),
    "full": Folder(0o711),
    "full/one": "mine\n",
    "full/deep/new": Hard("b.txt"),
    "up/link": Link("../a.txt"),
    "to-dir": Link("dir"),
    "odd name": "spaces\n",
    "ü.txt": "umlaut\n",
    "pack.tar": PLAIN,
}
SOURCES = (
    *("a.txt", "b.txt", "run.sh", "./a.txt", "ü.txt", "dir", "dir/", "dir/sub", "dir/sub/three.txt", "."),
    *("dir/link", "dir/away", "dir/away/", "up", "up/link", "to-dir", "to-dir/sub", "dir/sub/../one.txt"),
    *("full", "full/deep", "*.txt", "[ab].txt", "d*", "dir/*", "dir/*.md", "full/*", "$WHAT"),
)
FOLDERS = (
    *("/x/", "/x/y/", "/srv/app/", "/var/full/", "/var/full/deep/", "/var/to-folder/", "/home/ann/", "new/"),
    *("./", "../up/", "/tmp/", "/", "/x/$WHAT/", "/var/to-nothing/"),
)
PLACES = (
    *(*FOLDERS, "/x", "/x/y", "/srv/app", "/var/full", "/var/to-folder", "/var/to-nothing", "new", "."),
    *("/var/full/one", "/x/one.txt", "/var/second-name", "/x/$WHAT"),
)
PATHS = (
    *("/x", "/x/one.txt", "/x/sub", "/x/y", "/x/y/z", "/var/full", "/var/full/one", "/var/full/deep"),
    *("/var/full/deep/three", "/var/second-name", "/var/to-folder", "/var/to-file", "/srv/app", "/srv/new"),
    *("/home/ann", "/tmp/f", "/var/full/two", "new", "one.txt", "/var/lib/d"),
)
BASES_PATHS = ("/var/full", "/etc/group", "/srv", "/home/ann", "/var/to-folder", "/var/f*", "/var/", "/x")
WORKDIRS = ("/x", "y", "/srv/app", "/var/to-folder/w", "../up", "/w/$WHAT")
NAMES = ("ann", "bob:staff", "0:staff")
NUMBERS = ("3:4", "1000", "1000:50", "0:0")
MODES = ("755", "600", "4711", "2770", "1777", "0444")
CHANGES = ("u+x", "go-r", "a=rX", "g=u,o=", "+t", "ug+s")


def case(seed: int) -> Case:
    """Return the case of a seed."""
    return _Drawn(random.Random(seed)).case(seed)


class _Drawn:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.stages: dict[str, str] = {}  # name -> the base it begins with, or the base of that
        self.below = self.root = ""  # what the stage that is being drawn begins with; and that one in turn

    def case(self, seed: int) -> Case:
        text = self._dockerfile()
        args = {"WHAT": self.draw.choice(("a.txt", "dir", "full"))} if self.draw.random() < 0.3 else {}
        again = self._again(text) if self.draw.random() < 0.5 else None
        return Case(f"generated-{seed}", text, CONTEXT, build_args=args, again=again)

    def _dockerfile(self) -> str:
        lines: list[str] = []
        for number in range(self.draw.choice((1, 1, 2, 3))):
            base = self.draw.choice(("@base", "@base", "@base", "@bare", "scratch", *self.stages))
            self.below, self.root = base, self.stages.get(base, base)
            lines.append(f"FROM {base} AS s{number}")
            lines.append('ARG WHAT="b.txt"' if self.draw.random() < 0.7 else "ENV WHAT=run.sh")
            if base == "scratch":  # the other bases have one: nothing is in the cache from earlier runs
                lines.append("COPY nonce /")
            lines += [self._instruction() for _ in range(self.draw.randint(2, 7))]
            self.stages[f"s{number}"] = self.root
        return "\n".join(lines) + "\n"

    def _instruction(self) -> str:
        kinds: list[Callable[[], str]] = [self._copy, self._copy, self._copy, self._add, self._other]
        if self.root == "@base":
            kinds += [self._run, self._run, self._run]
        # Of a WORKDIR that a stage from scratch begins with, BuildKit does not say that it is cached.
        if self.root != "scratch":
            kinds.append(self._workdir)
        # Of a stage it begins with, BuildKit does not look at the files of a COPY --from.
        if any(name != self.below for name in self.stages):
            kinds += [self._copy_from, self._copy_from]
        return self.draw.choice(kinds)()

    def _flags(self) -> str:
        flags = ""
        if self.draw.random() < 0.3:
            flags += f" --chown={self.draw.choice(NAMES + NUMBERS if self.root == '@base' else NUMBERS)}"
        if self.draw.random() < 0.2:
            flags += f" --chmod={self.draw.choice(MODES + CHANGES)}"
        if self.draw.random() < 0.1:
            flags += f" --exclude={self.draw.choice(('*.txt', 'sub', '**/three.txt', '*', 'dir/sub'))}"
        return flags

    def _copy(self) -> str:
        sources = self.draw.sample(SOURCES, self.draw.choice((1, 1, 1, 2, 3)))
        several = len(sources) > 1 or any(mark in word for word in sources for mark in "*[")
        place = self.draw.choice(FOLDERS if several else PLACES)
        if self.draw.random() < 0.1:
            words = ", ".join(f'"{word}"' for word in ["odd name", *sources, place.rstrip("/") + "/"])
            return f"COPY{self._flags()} [{words}]"
        return f"COPY{self._flags()} {' '.join(sources)} {place}"

    def _add(self) -> str:
        sources = ("pack.tar", "pack.tar", "a.txt", "dir", "@server/archive.tar", "@server/plain.txt")
        return f"ADD{self._flags()} {self.draw.choice(sources)} {self.draw.choice(PLACES)}"

    def _copy_from(self) -> str:
        stage = self.draw.choice([name for name in self.stages if name != self.below])
        source = self.draw.choice(BASES_PATHS if self.stages[stage] == "@base" else ("/", "/*"))
        return f"COPY --from={stage}{self._flags()} {source} {self.draw.choice(FOLDERS)}"

    def _run(self) -> str:
        commands = [self._command() for _ in range(self.draw.randint(1, 4))]
        return "RUN " + "; ".join(f"{command} || true" for command in commands)

    def _command(self) -> str:
        one, other = self.draw.sample(PATHS, 2)
        return self.draw.choice(
            (
                f"mkdir -p {one}",
                f"mkdir -p {one}/d && echo {self.draw.randint(0, 9)} > {one}/d/f",
                f"echo {self.draw.randint(0, 9)} > {one}",
                f"echo more >> {one}",
                f"rm -rf {one}",
                f"rm -rf {one} && mkdir -p {one}",
                f"rm -rf {one} && ln -s {other} {one}",
                f"mv {one} {other}",
                f"cp -r {one} {self.draw.choice(('/x', '/x/y', '/srv/new', '/tmp/f', '/var/lib/d'))}",
                f"ln {one} {other}",
                f"ln -s {one} {other}",
                f"chmod {self.draw.choice(MODES)} {one}",
                f"chown {self.draw.choice(('3:4', '1001:50', '0:0'))} {one}",
                f"touch {one}",
                "mkfifo /srv/fifo",
                f"head -c 0 {one}",
                f"echo $WHAT > {one}",
            )
        )

    def _workdir(self) -> str:
        return f"WORKDIR {self.draw.choice(WORKDIRS)}"

    def _other(self) -> str:
        return self.draw.choice(
            (
                "ENV WHAT=dir OTHER=$WHAT-${WHAT:+set}",
                "LABEL here=$WHAT",
                "ARG WHAT=full",
                "ARG WHAT",
                'CMD ["echo", "$WHAT"]',
                "EXPOSE 80 90/udp",
                "VOLUME /x",
                "STOPSIGNAL 9",
            )
        )

    def _again(self, text: str) -> Again:
        path = self.draw.choice(("a.txt", "dir/one.txt", "full/one", "dir/sub/three.txt"))
        way = self.draw.random()
        if way < 0.25:
            return Again()
        if way < 0.6:
            return Again(context={path: "edited\n"})
        if way < 0.75:
            return Again(context={path: None, "new.txt": "new\n"})
        lines = text.splitlines()
        at = self.draw.randrange(1, len(lines))
        if not lines[at].startswith(("RUN", "COPY", "ADD", "LABEL", "ENV")):
            return Again(context={path: File("one\n", 0o700)})
        lines.insert(at, "ENV MORE=1" if way < 0.9 else "LABEL more=1")
        return Again(text="\n".join(lines) + "\n")
