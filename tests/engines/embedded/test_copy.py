"""What a COPY source names, and what goes along; the Dockerfile reference has each rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.context.context import Context, File
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.errors import ContextError, DockerfileError

DOCKERFILE = """\
FROM scratch AS work
COPY src /app/src/
FROM scratch
COPY --from=work {source} /x/
"""
FILES = {
    name: f"content of {name}"
    for name in (
        "a.txt",
        "b.md",
        "d/a.txt",
        "d/b.md",
        "d/e/a.txt",
        "d/e/f/c.txt",
        "g/x",
        "g/h/x",
        "hom.txt",
        "hom.md",
    )
}


@pytest.mark.parametrize("source", ["/app/src/*.pyc", "/app/*/*.pyc", "/app/src/app.py[c]"])
def test_a_wildcard_below_a_folder_finds_files_and_keeps_their_names(source: str, tmp_path: Path) -> None:
    """COPY --from with a wildcard in its last part copies each file that fits, under its own name."""
    context = Context.files({"src/app.pyc": "compiled", "src/app.py": "source"})
    built = EmbeddedEngine(tmp_path).build(DOCKERFILE.format(source=source), context=context, tag="t:1")
    assert sorted(entry.path for entry in built.image.layers[-1].entries) == ["x", "x/app.pyc"]


def copied(line: str, tmp_path: Path) -> set[str]:
    """Return the files below /x that a line copies out of FILES, the context and the stage "st"."""
    text = f"FROM scratch AS st\nCOPY . /w/\nFROM scratch\n{line}\n"
    built = EmbeddedEngine(tmp_path).build(text, context=Context.files(FILES), tag="t:1")
    entries = built.image.layers[-1].entries
    return {entry.path.removeprefix("x/") for entry in entries if entry.kind == "file"}


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("COPY --exclude=**/*.txt . /x", {"b.md", "d/b.md", "g/x", "g/h/x", "hom.md"}),
        ("COPY --exclude=* --exclude=!a.txt . /x", {"a.txt"}),
        ("COPY --exclude=* --exclude=!d/e/a.txt . /x", {"d/e/a.txt"}),
        ("COPY --exclude=./d . /x", {"a.txt", "b.md", "g/x", "g/h/x", "hom.txt", "hom.md"}),
        ("COPY --exclude=/d/ . /x", {"a.txt", "b.md", "g/x", "g/h/x", "hom.txt", "hom.md"}),
        ("COPY --exclude=d/** . /x", {"a.txt", "b.md", "g/x", "g/h/x", "hom.txt", "hom.md"}),
        ("COPY --exclude=**/e/** d /x", {"a.txt", "b.md"}),
        ("COPY --exclude=d --exclude=!d/e . /x/", set(FILES) - {"d/a.txt", "d/b.md"}),
        ("COPY --exclude=*/*.txt . /x", set(FILES) - {"d/a.txt"}),
        ("COPY --exclude=*.txt hom* /x/", {"hom.md", "hom.txt"}),
        ("COPY --exclude=* d* /x/", set()),
        ("ADD --exclude=[ab].txt d /x/", {"b.md", "e/a.txt", "e/f/c.txt"}),
        ("COPY --exclude=**/*.txt --from=st /w/d /x", {"b.md"}),
        ("COPY d* /x/", {"a.txt", "b.md", "e/a.txt", "e/f/c.txt"}),
        ("COPY **/a.txt /x/", {"a.txt"}),
        ("COPY [!a].txt [^b].txt /x/", {"a.txt"}),
        ("COPY --parents d/e/a.txt a.txt /x/", {"d/e/a.txt", "a.txt"}),
        ("COPY --parents ./d/**/*.txt /x/", {"d/a.txt", "d/e/a.txt", "d/e/f/c.txt"}),
        ("COPY --parents ./**/x /x/", {"g/x", "g/h/x"}),
        ("COPY --parents **/*.md /x/", {"b.md", "d/b.md", "hom.md"}),
        ("COPY --parents d/./e /x/", {"e/a.txt", "e/f/c.txt"}),
        ("COPY --parents ./d/./e/./f /x/", {"e/f/c.txt"}),
        ("COPY --parents d/e/. /x/", {"d/e/a.txt", "d/e/f/c.txt"}),
        ("COPY --parents --from=st /w/./d/e /x/", {"d/e/a.txt", "d/e/f/c.txt"}),
        ("COPY --parents --from=st /w/d/e /x/", {"w/d/e/a.txt", "w/d/e/f/c.txt"}),
        ("COPY --parents --from=st /w/*/./**/c.txt /x/", {"e/f/c.txt"}),
        ("COPY --parents --exclude=**/e d g /x/", {"d/a.txt", "d/b.md", "g/x", "g/h/x"}),
        ("COPY --parents nothing* /x/", set()),
    ],
)
def test_what_goes_along(line: str, left: set[str], tmp_path: Path) -> None:
    """--exclude and --parents go by .dockerignore's rules, a plain source by filepath.Match."""
    assert copied(line, tmp_path) == left


def test_parents_keep_the_modes_of_the_folders_above(tmp_path: Path) -> None:
    """The folders that --parents makes are the source's, as it has them, and no others are made."""
    root = tmp_path / "context"
    for path in ("a/b", "a/c"):
        (root / path).mkdir(parents=True)
        (root / path / "f").write_text("1")
    (root / "a").chmod(0o700)
    text = "FROM scratch\nCOPY --parents a/b/f /x/\n"
    built = EmbeddedEngine(tmp_path / "home").build(text, context=Context.folder(root), tag="t:1")
    found = {entry.path: entry.mode for entry in built.image.layers[-1].entries}
    assert found == {"x": 0o755, "x/a": 0o700, "x/a/b": 0o755, "x/a/b/f": 0o644}


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("COPY --parents d/./nothing /x/", ContextError, "is not in the build context"),
        ("COPY --parents nothing /x/", ContextError, "is not in the build context"),
        ("COPY --exclude=[a . /x/", DockerfileError, "--exclude is no pattern"),
        ("COPY a[ /x/", ContextError, "is not a pattern"),
    ],
)
def test_what_is_refused(line: str, error: type[Exception], said: str, tmp_path: Path) -> None:
    """A source without wildcards must be there, with --parents too; a pattern must be one."""
    with pytest.raises(error, match=said):
        copied(line, tmp_path)


def spellings() -> list[str]:
    """Return many spellings of COPY and ADD; some of them mean the same."""
    sources = [
        *("d", "./d", "d/", "d/.", "/d", "d/e/..", "d*", "[d]", "?", "d/*", "d/e", "d/*/", "*/e"),
        *("a.txt", "./a.txt", "*.txt", "a*", "a.txt b.md", "b.md a.txt", "d/a.txt", "a.txt d/a.txt", "."),
        *("g d", "d g", "g/x g/h/x", "g/h/x g/x", "g/*", "g/h/* g/x"),
    ]
    flags = [
        *("", "--chown=1", "--chown=1:2", "--chown=:2", "--chmod=600", "--link", "--link --chown=1"),
        *("--exclude=e", "--exclude=**/e", "--exclude=*.txt", "--exclude=**/*.txt --exclude=!d/e/a.txt"),
    ]
    found = [
        f"{keyword} {source} {to}"
        for keyword in ("COPY", "ADD")
        for source in sources
        for to in ("/x/", "x/y/")
    ]
    found += [f"COPY {flag} {source} /x/" for flag in flags[1:] for source in ("d", "d*", "*.txt", ".")]
    found += [
        f"COPY --from=st {one} /x/"
        for one in ("/w/d", "w/d", "/w/*", "/v/d", "/w/a.txt", "/v/a.txt", "/v/*/e", "/v")
    ]
    found += [
        f"COPY --parents {flag}{source} /x/"
        for flag in ("", "--exclude=**/e ", "--chmod=700 ")
        for source in (
            "d/./e",
            "d/e",
            "./d/e",
            "d/./e/f",
            "d/e/./f",
            "d/e/f/./c.txt",
            "d/e/f/c.txt",
            "**/c.txt",
            "d/**/c.txt",
            "./d/./**/c.txt",
            "d/*/./a.txt",
            "./*/./*/a.txt",
        )
    ]
    found += [
        f"COPY --parents --from=st {one} /x/"
        for one in ("/w/./d", "/w/d", "/./w/d", "/w/d/./e", "/v/./d", "/*/./d/e")
    ]
    return found


def test_no_spelling_of_a_copy_gets_the_files_of_another(tmp_path: Path) -> None:
    """Built one after the other in one store, each spelling makes what it makes without the cache."""
    root = tmp_path / "context"
    files: dict[str, str | File] = {**FILES, "d/e/tool": File("run", 0o755), "z/a.txt": FILES["a.txt"]}
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.data if isinstance(content, File) else content.encode())
        place.chmod(content.mode if isinstance(content, File) else 0o644)
    (root / "g").chmod(0o700)
    context = Context.folder(root)
    engine, fresh = EmbeddedEngine(tmp_path / "cached"), EmbeddedEngine(tmp_path / "fresh")
    wrong = []
    for line in spellings():
        text = f"FROM scratch AS st\nCOPY . /w/\nCOPY --chown=5 . /v/\nFROM scratch\nWORKDIR /z\n{line}\n"
        kept, made = (
            [
                (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.link)
                for entry in one.build(text, context=context, tag="t:1", no_cache=off)
                .image.layers[-1]
                .entries
            ]
            for one, off in ((engine, False), (fresh, True))
        )
        if kept != made:
            wrong.append(line)
    assert wrong == []
