"""Analysis of a build with several stages goes by what was built: its arguments, its target, its scope."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dockerlab.analysis.advice import advise
from dockerlab.analysis.built_stages import BuiltStages
from dockerlab.analysis.cache import Edit, compare
from dockerlab.analysis.history import rows
from dockerlab.analysis.made_from import made_from
from dockerlab.analysis.reorder import MANIFEST, RARE, SOURCE, what_if_orders
from dockerlab.context.context import Context
from dockerlab.dockerfile.parser import parse
from dockerlab.engines.results import Build, Engine

FILES = {"a": "a", "b": "b", "src/c": "c", "requirements.txt": "x\n"}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Return the embedded engine with a store of its own: what is built here needs no base."""
    embedded = pytest.importorskip("dockerlab.engines.embedded", exc_type=ImportError)
    made: Engine = embedded.EmbeddedEngine(tmp_path)
    return made


def built(engine: Engine, text: str, **options: object) -> Build:
    """Build `text`, every step anew."""
    return engine.build(text, context=Context.files(FILES), tag="t", no_cache=True, **options)  # type: ignore[arg-type]


# Each form in which a FROM names the stage below, and the build arguments it takes.
BELOW: Mapping[str, tuple[str, dict[str, str]]] = {
    "by name": ("FROM scratch AS low\nCOPY a /\nFROM low\nCOPY b /\n", {}),
    "by a global ARG": ("ARG BASE=low\nFROM scratch AS low\nCOPY a /\nFROM $BASE\nCOPY b /\n", {}),
    "by a build argument": (
        "ARG BASE\nFROM scratch AS low\nCOPY a /\nFROM $BASE\nCOPY b /\n",
        {"BASE": "low"},
    ),
    "with a default in the word": ("FROM scratch AS low\nCOPY a /\nFROM ${X:-low}\nCOPY b /\n", {}),
    "by its machine": (
        "FROM scratch AS on-linux\nCOPY a /\nFROM on-$TARGETOS\nCOPY b /\n",
        {},
    ),
    "of two with the name": (
        "FROM scratch AS low\nCOPY b /x\nFROM scratch AS low\nCOPY a /\nFROM low\nCOPY b /\n",
        {},
    ),
}


def copies(text: str) -> list[int]:
    """Return the lines of the last two COPYs of a form above."""
    return [number for number, line in enumerate(text.splitlines(), 1) if line.startswith("COPY")][-2:]


@pytest.mark.parametrize("form", BELOW)
def test_every_layer_has_its_line(form: str, engine: Engine) -> None:
    """However a FROM names the stage below, the layers of both have their lines."""
    text, args = BELOW[form]
    build = built(engine, text, build_args=args)
    assert [row.line for row in rows(build)] == copies(text)


@pytest.mark.parametrize("form", [form for form in BELOW if form != "by a build argument"])
def test_an_image_with_its_dockerfile_has_the_same_lines(form: str, engine: Engine) -> None:
    """The same holds for an image that comes with its Dockerfile alone, as far as that says it."""
    build = built(engine, BELOW[form][0])
    found = made_from(build.image, parse(BELOW[form][0]), "t")
    assert [row.line for row in rows(found)] == [row.line for row in rows(build)]


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("ARG TAG=12\nFROM debian:$TAG\n", "debian:12"),
        ("ARG TAG\nFROM debian:$TAG\n", None),
        ("ARG TAG\nFROM debian:${TAG:?missing}\n", None),
        ("FROM debian AS low\nFROM low\n", "debian"),
        ("FROM scratch\n", None),
        ("ARG LOW\nFROM debian AS a\nFROM ${LOW:-a}\n", None),
    ],
)
def test_a_base_that_only_the_build_knew_is_not_known(text: str, base: str | None, engine: Engine) -> None:
    """Without its build arguments an image has no base that a FROM with an ARG without default names."""
    image = built(engine, "FROM scratch\nCOPY a /\n").image
    assert made_from(image, parse(text), "t").base == base


def test_a_target_is_what_advice_is_about(engine: Engine) -> None:
    """Of a build with a target, the stages that it needs count, not those of the file's last stage."""
    text = "FROM scratch AS low\nCOPY a /\nFROM scratch AS aside\nCOPY b /\nFROM low AS mine\nFROM aside\n"
    stages = BuiltStages.of(built(engine, text, target="mine"))
    assert [stage.name for stage in stages.chain] == ["low", "mine"]
    assert [stage.name for stage in stages.needed] == ["low", "mine"]


def test_advice_sees_the_folder_that_a_variable_names(engine: Engine) -> None:
    """The order of COPY and install is judged by the folders that ENV and ARG say, in the stage below too."""
    text = (
        "FROM scratch AS low\nENV APP=/srv\nWORKDIR $APP\nFROM low\nARG TO=/srv/app/\nCOPY src/ $TO\n"
        "FROM low\nCOPY src/ app/\n"
    )
    for target in ("1", "2"):
        stage = parse(text).stages[int(target)]
        stages = BuiltStages.of(built(engine, text))
        lines = list(stages.lines(stage))
        assert {scope.workdir for _, scope in lines} == {"/srv"}
    assert advise(built(engine, text)).with_dockerfile


@pytest.mark.parametrize(
    ("lines", "needs"),
    [
        # Found untied before: the working folder was taken to be "/$APP".
        (
            "ENV APP=/srv\nWORKDIR $APP\nCOPY requirements.txt /srv/\nRUN pip install -r requirements.txt",
            {3, 4},
        ),
        (
            "ARG APP=/srv\nWORKDIR ${APP}\nCOPY requirements.txt /srv/\nRUN pip install -r requirements.txt",
            {3, 4},
        ),
        (
            "ENV APP=$FROM_BASE/x\nWORKDIR $APP\nCOPY requirements.txt /srv/\n"
            "RUN pip install -r requirements.txt",
            {3, 4},
        ),
        ("WORKDIR $FROM_BASE\nCOPY requirements.txt /srv/\nRUN pip install -r requirements.txt", {2, 3}),
        ("ARG R=requirements.txt\nCOPY $R /srv/\nWORKDIR /srv\nRUN pip install -r requirements.txt", {3, 4}),
        ("WORKDIR /srv\nCOPY requirements.txt /data/\nRUN pip install -r requirements.txt", {2}),
    ],
)
def test_an_install_stays_below_the_list_it_reads(lines: str, needs: set[int]) -> None:
    """A line's needs go by what is in force there; a folder that is not known may be any."""
    from tests.analysis.test_reorder import needs_of

    text = f"FROM debian\n{lines}\n"
    assert needs <= needs_of(text)[max(needs_of(text))]
    if "/data/" in lines:
        assert needs_of(text)[max(needs_of(text))] == needs


def test_a_stage_changes_as_often_as_what_it_continues() -> None:
    """A stage changes with the stage below it, too, and with it what is copied or mounted from there."""
    from tests.analysis.test_reorder import measured

    text = (
        "ARG LOW=low\nFROM debian AS low\nCOPY requirements.txt /r\nFROM $LOW AS high\nCOPY src /src\n"
        "FROM debian\nCOPY --from=high /src /src\nRUN --mount=from=high,target=/m true\nCOPY --from=1 /r /r\n"
        "COPY --from=debian /etc /etc\n"
    )
    rates = {line.line: line.changes_per_week for line in what_if_orders(measured(text)).lines}
    assert rates == {7: MANIFEST + SOURCE, 8: MANIFEST + SOURCE, 9: MANIFEST + SOURCE, 10: RARE}


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch AS scratch\nCOPY a /\n",
        "FROM scratch AS low\nCOPY a /\nFROM scratch\nCOPY b /\nFROM scratch AS low\nCOPY b /\n",
        "ARG BASE=low\nFROM scratch AS low\nCOPY a /\nFROM $BASE\nCOPY b /\n",
    ],
)
def test_what_is_compared_was_never_built_before(text: str, engine: Engine) -> None:
    """The first of each pair of builds runs every step, whatever the stages are called."""
    first: list[Build] = []

    def build(dockerfile: str, context: Context, args: Mapping[str, str]) -> Build:
        first.append(engine.build(dockerfile, context=context, build_args=args, tag="t"))
        return first[-1]

    for mark in ("one", "other"):
        first.clear()
        compare(
            text,
            {"none": Edit()},
            Context.files(FILES),
            builders={"embedded": build},
            missing={},
            mark=mark,
        )
        assert [step.cached for step in first[0].steps if step.keyword == "COPY" and step.cached] == []
        assert all(step.cached is not False for step in first[1].steps)
