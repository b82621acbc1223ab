""".dockerignore (Docker docs, "Build context"): what a COPY of everything then holds."""

from __future__ import annotations

from tests.conformance.case import Case, Item, Link

TREE: dict[str, Item] = {
    "a.txt": "1",
    "b.md": "2",
    "node/x/index.js": "3",
    "node/x/y.txt": "4",
    "src/a.txt": "5",
    "src/deep/a.txt": "6",
    "src/deep/b.md": "7",
    "src/.hidden": "8",
    "ü.txt": "9",
    "link": Link("src"),
    "sp ace": "10",
}


def _ignore(
    name: str, *lines: str, copy: str = "COPY . /x/", refused: str | None = None, **more: Item
) -> Case:
    context: dict[str, Item] = {**TREE, ".dockerignore": "\n".join(lines) + "\n", **more}
    return Case(f"ignore-{name}", f"FROM @base\n{copy}\n", context, refused=refused)


CASES = [
    _ignore("nothing", ""),
    _ignore("file", "a.txt"),
    _ignore("star", "*.txt"),
    _ignore("double-star", "**/*.txt"),
    _ignore("folder", "src"),
    _ignore("folder-slash", "src/"),
    _ignore("leading-slash", "/src/a.txt"),
    _ignore("dot-slash", "./src/a.txt"),
    _ignore("inside", "src/deep"),
    _ignore("one-level", "*/a.txt"),
    _ignore("two-levels", "*/*/a.txt"),
    _ignore("middle", "src/**/a.txt"),
    _ignore("question", "?.txt", "src/dee?"),
    _ignore("class", "[ab].*"),
    _ignore("exception", "*", "!src"),
    _ignore("exception-deep", "src", "!src/deep/a.txt"),
    _ignore("exception-then-again", "**/*.txt", "!**/a.txt", "src/deep/a.txt"),
    _ignore("exception-first", "!src", "src"),
    _ignore("exception-star", "**", "!**/*.md"),
    _ignore("comments", "# a comment", "  ", " a.txt ", "#b.md"),
    _ignore("link", "link"),
    _ignore("through-link", "link/a.txt"),
    _ignore("names", "ü.txt", "sp ace"),
    _ignore("escaped", "\\a.txt", "b\\.md"),
    _ignore("everything", "*"),
    _ignore("itself", ".dockerignore"),
    _ignore("crlf", "a.txt\r", "b.md\r"),
    _ignore("bom", "\ufeffa.txt"),
    _ignore("up", "../a.txt"),
    _ignore("dots", "src/../a.txt"),
    _ignore("bad", "[a", refused="[a"),
    _ignore("only-exclamation", "!", refused="!"),
    _ignore("copy-ignored", "a.txt", copy="COPY a.txt /x/", refused="a.txt"),
    _ignore("copy-glob", "src/a.txt", copy="COPY */a.txt *.md /x/"),
    _ignore("copy-glob-all-ignored", "*.txt", copy="COPY *.txt /x/"),
    _ignore("copy-folder", "**/a.txt", copy="COPY src /x/"),
    _ignore("add", "a.txt", copy="ADD . /x/"),
    _ignore("bind", "a.txt", copy="RUN --mount=target=/m ls -A /m | grep -v ockerfile > /tmp/f"),
    Case("ignore-in-subfolder", "FROM @base\nCOPY . /x/\n", {**TREE, "src/.dockerignore": "a.txt\n"}),
    Case(
        "ignore-of-the-dockerfile",
        "FROM @base\nCOPY . /x/\n",
        {**TREE, "Dockerfile.dockerignore": "a.txt\nDockerfile*\n", ".dockerignore": "b.md\n"},
    ),
]
