"""Why a step ran: on real builds of the embedded engine, and of both of Docker's builders."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from dockerlab.analysis.cache import DERIVED, Edit, as_edit, compare, why
from dockerlab.context.context import Context, File
from dockerlab.engines import choose
from dockerlab.engines.results import Build, Builder, Engine
from dockerlab.errors import DockerfileError, DockerlabError, EngineError, ImageNotFoundError
from dockerlab.widgets.explanations import BuilderComparison, why_table

pytestmark = pytest.mark.docker

TOP = "FROM scratch\nCOPY root /\n"  # the shell is busybox by another name
BUILDERS: list[Builder] = ["embedded", "buildkit", "legacy"]
Files = Mapping[str, str | bytes | File]


def busybox() -> bytes:
    """Return a static busybox, or skip."""
    for name in ("/usr/bin/busybox", "/bin/busybox", "/bin/busybox.static"):
        path = Path(name)
        if path.exists() and b"/ld-linux" not in path.read_bytes():
            return path.read_bytes()
    pytest.skip("needs a statically linked busybox")


@pytest.fixture(params=BUILDERS)
def builder(request: pytest.FixtureRequest) -> Builder:
    """Each builder in turn."""
    chosen: Builder = request.param
    return chosen


@pytest.fixture
def engine(builder: Builder, tmp_path: Path) -> Engine:
    """The builder's engine with a store of its own; skipped where it is not."""
    if builder == "embedded":
        embedded = pytest.importorskip("dockerlab.engines.embedded", exc_type=ImportError)
        made: Engine = embedded.EmbeddedEngine(tmp_path / "home")
        if "no sandbox" in made.describe():
            pytest.skip("needs a sandbox for RUN")
        return made
    try:
        choose("docker")
    except EngineError as error:
        pytest.skip(error.message)
    from dockerlab.engines.docker.engine import DockerEngine

    return DockerEngine(root=tmp_path / "docker")


class Bench:
    """Builds one tag again and again, from a context no other test has."""

    def __init__(self, engine: Engine, builder: Builder) -> None:
        self.engine, self.builder = engine, builder
        token = secrets.token_hex(6)
        users = "root:x:0:0::/:/bin/sh\none:x:1:1::/:/bin/sh\ntwo:x:2:2::/:/bin/sh\n"
        root: Files = {
            "root/bin/sh": File(busybox(), 0o755),
            "root/etc/passwd": users,
            "root/etc/group": "root:x:0:\none:x:1:\ntwo:x:2:\n",
        }
        self.tag = f"dockerlab/test-why-{token}:1"
        self.files: Files = {"token": token, "a": "1", "dir/b": "2", **root}

    def __call__(self, text: str, changed: Files | None = None, *, no_cache: bool = False) -> Build:
        """Build TOP and `text`, with some files changed."""
        return self.engine.build(
            f"{TOP}COPY token /\n{text}",
            context=Context.files({**self.files, **(changed or {})}),
            tag=self.tag,
            builder=self.builder,
            no_cache=no_cache,
        )


@pytest.fixture
def bench(engine: Engine, builder: Builder) -> Iterator[Bench]:
    """Return a bench; what it built is removed afterwards."""
    made = Bench(engine, builder)
    yield made
    with suppress(ImageNotFoundError):  # the build failed, and so did the test
        engine.remove(made.tag)


def reasons(build: Build) -> dict[int, str]:
    """Return the reason of each miss by line."""
    return {one.step.line: one.why for one in why(build).verdicts if one.verdict == "miss"}


def test_first_build_then_the_same_again(bench: Bench) -> None:
    """What was never built says so; the second time every step is a hit and none a miss."""
    first = bench("RUN echo x > /x\n")
    assert reasons(first)[4] == "it was not built before"
    again = why(bench("RUN echo x > /x\n"))
    assert {one.verdict for one in again.verdicts} == {"hit", "nothing to cache"}
    assert "steps came from the cache" in again.finding


def test_a_changed_file_is_named_with_both_digests(bench: Bench) -> None:
    """A COPY names the file with its old and new digest; the RUN below it names the COPY's line."""
    bench("COPY a /a\nRUN read x < /a; echo $x > /x\n")
    build = bench("COPY a /a\nRUN read x < /a; echo $x > /x\n", {"a": "11"})
    assert reasons(build) == {
        4: "a changed: its content was sha256:6b86b273ff34, is sha256:4fc82b26aecb",
        5: "an earlier step (line 4) ran again",
    }
    change = build.steps[3].changes[0]
    assert (change.input, change.name) == ("files", "a")


def test_a_changed_mode_a_new_and_a_lost_file(bench: Bench) -> None:
    """A mode, a file that came and one that went are each told apart."""
    bench("COPY dir /d\n")
    by_mode = bench("COPY dir /d\n", {"dir/b": File("2", 0o755)})
    assert reasons(by_mode)[4] == "dir/b changed: its mode was 0644, is 0755"
    new = bench("COPY dir /d\n", {"dir/b": File("2", 0o755), "dir/c": "3"})
    assert reasons(new)[4].startswith("dir/c is new among the files it reads (sha256:")
    bench.files = {name: content for name, content in bench.files.items() if name != "dir/b"}
    lost = bench("COPY dir /d\n", {"dir/c": "3"})
    assert reasons(lost)[4].startswith("dir/b is gone from the files it reads (sha256:")


def test_a_changed_env_and_arg(bench: Bench, builder: Builder) -> None:
    """The RUN names the variable, its line and both values; the legacy builder runs that line too."""
    bench("ENV V=one\nARG W=one\nRUN echo x > /x\n")
    by_env = reasons(bench("ENV V=two\nARG W=one\nRUN echo x > /x\n"))
    by_arg = reasons(bench("ENV V=two\nARG W=two\nRUN echo x > /x\n"))
    assert by_env[6].startswith('ENV V (line 4) was "one", is "two"')
    assert by_arg[6].startswith('ARG W (line 5) was "one", is "two"')
    if builder == "legacy":
        assert by_env[4] == 'the line was "ENV V=one", is "ENV V=two"'
    else:
        assert set(by_env) == {6}


def test_a_changed_command(bench: Bench) -> None:
    """A RUN shows its old and new command; white space alone is said to be that."""
    bench("RUN echo one > /x\n")
    assert reasons(bench("RUN echo two > /x\n")) == {4: 'the command was "echo one > /x", is "echo two > /x"'}
    assert reasons(bench("RUN echo  two > /x\n")) == {4: "the white space in the command changed"}


def test_a_changed_user_and_folder(bench: Bench) -> None:
    """USER and WORKDIR are named where they are an input."""
    bench("USER 1\nWORKDIR /one\nRUN echo > /dev/null\n")
    by_user = reasons(bench("USER 2\nWORKDIR /one\nRUN echo > /dev/null\n"))
    assert by_user[6].startswith('the USER was "1", is "2"')
    by_folder = reasons(bench("USER 2\nWORKDIR /two\nRUN echo > /dev/null\n"))
    assert by_folder[6].startswith('the working folder was "/one", is "/two"')


def test_no_cache(bench: Bench) -> None:
    """A build with the cache turned off says so of each step that ran."""
    bench("RUN echo x > /x\n")
    assert reasons(bench("RUN echo x > /x\n", no_cache=True))[4].startswith("the cache was turned off")


def test_a_new_line_and_a_line_that_is_gone(bench: Bench) -> None:
    """A line put in is new, and what follows it ran because of it; of a removed line what follows says so."""
    bench("RUN echo 1 > /1\nRUN echo 2 > /2\n")
    put_in = reasons(bench("RUN echo 1 > /1\nRUN echo 3 > /3\nRUN echo 2 > /2\n"))
    assert put_in == {5: "it was not built before", 6: "an earlier step (line 5) ran again"}
    gone = reasons(bench("RUN echo 3 > /3\nRUN echo 2 > /2\n"))
    assert gone[4] == 'a line above it is gone: "RUN echo 1 > /1"'


def test_only_docker_s_reasons_are_derived(bench: Bench, builder: Builder) -> None:
    """The note that the lab worked the reasons out stands below Docker's builds, not the embedded ones'."""
    table = why_table(why(bench("RUN echo x > /x\n")))
    assert (DERIVED in table.text()) == (builder != "embedded")
    assert (DERIVED in table.html()) == (builder != "embedded")


def test_the_last_build_of_a_tag_is_kept(bench: Bench) -> None:
    """An engine gives back the steps of the last build of a tag, reasons included; None for another."""
    build = bench("RUN echo x > /x\n")
    kept = bench.engine.last_build(bench.tag)
    assert kept is not None
    assert [(one.text, one.cached, one.reason) for one in kept.steps] == [
        (one.text, one.cached, one.reason) for one in build.steps
    ]
    assert bench.engine.last_build("dockerlab/no-such:1") is None


# What hits again (y) after each change, ENGINE.md's cache table: of BuildKit, legacy.
ROWS: dict[str, tuple[str, Edit, str, str]] = {
    "label": ("LABEL v=1\nCOPY a /\nRUN echo\n", Edit(("v=1", "v=2")), "yy", "nn"),
    "env": ("ENV v=1\nCOPY a /\nRUN echo\n", Edit(("v=1", "v=2")), "yn", "nn"),
    "user": ("USER 1\nCOPY a /\nRUN echo\n", Edit(("R 1", "R 2")), "yn", "nn"),
    "arg default": ("ARG v=1\nCOPY a /\nRUN echo\n", Edit(("v=1", "v=2")), "yn", "nn"),
    "build arg": ("ARG v\nCOPY a /\nRUN echo\n", Edit(build_args={"v": "2"}), "yn", "yn"),
    "arg below": ("COPY a /\nRUN echo\nARG v=1\n", Edit(("v=1", "v=2")), "yy", "yy"),
    "workdir": ("WORKDIR /a1\nCOPY a /\nRUN echo\n", Edit(("a1", "a2")), "nn", "nn"),
    "mode": ("COPY a /\nRUN echo\n", Edit(files={"a": File("1", 0o700)}), "nn", "nn"),
    "white space": ("COPY a /\nRUN echo\n", Edit(("RUN echo", "RUN  echo  x")), "yn", "yn"),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_cache_table(bench: Bench, builder: Builder, row: str) -> None:
    """Each change misses what the table says, and every miss has a reason that names a change or a line."""
    text, edit, buildkit, legacy = ROWS[row]
    context = Context.files(bench.files)

    def build(text: str, context: Context, build_args: Mapping[str, str]) -> Build:
        return bench.engine.build(
            text, context=context, tag=bench.tag, builder=bench.builder, build_args=build_args
        )

    found = compare(
        f"{TOP}{text}", {row: edit}, context, builders={builder: build}, missing={}, mark=secrets.token_hex(6)
    )
    after = found.builds[row][builder]
    assert isinstance(after, Build), after
    last = [step for step in after.steps if step.keyword in ("COPY", "RUN")][-2:]
    assert "".join("y" if step.cached else "n" for step in last) == (
        legacy if builder == "legacy" else buildkit
    )
    for step in after.steps:
        if step.cached is False:
            assert step.reason is not None
            assert step.changes or "(line " in step.reason, step.reason


def test_a_comparison_has_the_dockerfile_s_own_lines(bench: Bench, builder: Builder) -> None:
    """The layer that separates comparisons is not shown, and .dockerignore cannot hide its file."""

    def build(text: str, context: Context, build_args: Mapping[str, str]) -> Build:
        return bench.engine.build(text, context=context, tag=bench.tag, builder=bench.builder)

    files = {**bench.files, ".dockerignore": "*\n!a\n!root\n"}
    edits = {"a": as_edit({"a": "2"}), "no file": as_edit(("COPY a", "COPY nosuch"))}
    mark = uuid4().hex  # the daemon remembers the marks of earlier runs
    found = compare(
        f"{TOP}COPY a /\n", edits, Context.files(files), builders={builder: build}, missing={}, mark=mark
    )
    after = found.builds["a"][builder]
    assert isinstance(after, Build), after
    assert [(step.number, step.line, step.keyword) for step in after.steps] == [
        (1, 1, "FROM"),
        (2, 2, "COPY"),
        (3, 3, "COPY"),
    ]
    assert [step.cached for step in after.steps] == [None, True, False]
    assert isinstance(found.builds["no file"][builder], DockerlabError)
    shown = BuilderComparison(found)
    assert "error: " in shown.table.text()
    assert len(shown.pictures) == 1


def test_an_edit_of_text_that_is_not_there() -> None:
    """Replacing text the Dockerfile does not have is an error that names it."""
    with pytest.raises(DockerfileError, match='"nothing" is not in the Dockerfile'):
        as_edit(("nothing", "x")).apply("FROM scratch\n", Context.files({}))
