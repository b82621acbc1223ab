"""What lessons call: build, look, compare, run, guess. Everything shown names the engine that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dockerlab.dockerfile.parser import Dockerfile, parse
from dockerlab.engines import results
from dockerlab.engines.results import Build, Builder, Engine
from dockerlab.errors import BuildInterrupted, DockerlabError
from dockerlab.image.image import Image
from dockerlab.inputs import ContextLike, as_context, default_tag, find_engine, held_image, read_dockerfile
from dockerlab.widgets.display import in_kernel
from dockerlab.widgets.explorer import Explorer
from dockerlab.widgets.findings import AdviceTable, advice_table
from dockerlab.widgets.listings import (
    Output,
    Status,
    bases_at_hand,
    equipment_table,
    history_table,
    images_table,
)
from dockerlab.widgets.playground import Playground
from dockerlab.widgets.playground_model import text_files
from dockerlab.widgets.prediction import Option, Prediction
from dockerlab.widgets.progress import BuildProgress, PlainLog, live
from dockerlab.widgets.table import Table

if TYPE_CHECKING:
    from dockerlab.charts import Picture


Subject = Build | Image | str  # a str is a reference, looked up in the engine


def build(
    dockerfile: str | Path | Dockerfile,
    *,
    name: str | None = None,
    context: ContextLike | None = None,
    tag: str | None = None,
    engine: str | Engine | None = None,
    builder: Builder | None = None,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    secrets: Mapping[str, bytes] | None = None,
    no_cache: bool = False,
    squash: bool = False,
    quiet: bool = False,
    brief: bool = True,
) -> Build:
    """Build a Dockerfile (its text, or the path of one) and show how it goes; `quiet` shows nothing.

    Where it is not `brief`, a chart is to follow: it has the title, and many steps are folded away.

    `context` is a folder, or a dict of path -> content; without it the context is empty. Without `tag` the
    image is kept as "dockerlab/<name>". `squash` leaves one layer over the base (not on
    Docker). Raises the DockerlabError of what went wrong; on Ctrl-C
    BuildInterrupted.
    """
    chosen, _ = find_engine(engine)
    text = read_dockerfile(dockerfile) if isinstance(dockerfile, Path) else dockerfile
    title = name or (tag or "image").rpartition("/")[2].partition(":")[0]
    progress = BuildProgress(title, engine=chosen.describe(), alone=brief)
    in_place = in_kernel()
    plain = PlainLog()

    def on_event(event: results.Event) -> None:
        progress(event)
        if not in_place and not quiet:
            plain(event)

    with live(progress) if in_place and not quiet else nullcontext():
        try:
            built = chosen.build(
                text,
                context=as_context(context),
                tag=tag or default_tag(title),
                target=target,
                build_args=build_args,
                secrets=secrets,
                no_cache=no_cache,
                squash=squash,
                builder=builder,
                on_event=on_event,
            )
        except KeyboardInterrupt:
            raise BuildInterrupted(progress.interrupted()) from None
        except DockerlabError as error:
            progress.failed(error.line)
            raise
        built = replace(built, name=title)
        progress.succeeded(built)
    return built


def history(x: Subject, *, full: bool = False, engine: str | Engine | None = None) -> Table:
    """List the history rows of a build, an image, or a reference, oldest first, and the layer each made.

    Sizes are unpacked bytes: what `docker history` calls SIZE. Of a build, the rows of its base are one.
    `full` shows each row as the image config records it (`docker history --no-trunc`), build arguments
    included.
    """
    chosen = None if isinstance(x, Build | Image) else find_engine(engine)[0]
    subject = chosen.image(x) if chosen is not None and isinstance(x, str) else x
    assert not isinstance(subject, str)
    made_by = subject.engine if isinstance(subject, Build) else chosen.describe() if chosen else None
    return history_table(subject, full=full, made_by=made_by)


def layers(x: Subject, *, engine: str | Engine | None = None) -> Picture:
    """Draw the stack of layers of a build, an image, or a reference."""
    from dockerlab import charts

    return charts.layer_stack(_build_or_image(x, engine))


def compare(a: Subject, b: Subject, *, engine: str | Engine | None = None) -> Picture:
    """Draw two builds, images, or references side by side."""
    from dockerlab import charts

    return charts.compare(_build_or_image(a, engine), _build_or_image(b, engine))


def ledger(x: Subject, *, engine: str | Engine | None = None) -> Picture:
    """Draw what became of every byte: live, there twice, overwritten, deleted, stored again; by whom."""
    from dockerlab import charts
    from dockerlab.analysis.ledger import ledger as account

    made_by = find_engine(engine)[0].describe() if isinstance(x, str) else None
    return charts.ledger_by_layer(account(_build_or_image(x, engine), engine=made_by))


def explore(x: Subject, *others: Subject, engine: str | Engine | None = None) -> Explorer:
    """Look into the layers of a build, an image, or a reference; let it be the last line of its cell.

    For each layer: a tree of what it added, changed and removed, with bytes; find, sort, and the text of
    small files. With `others`, images to compare with. Sizes are unpacked bytes.
    """
    made_by = find_engine(engine)[0].describe() if isinstance(x, str) else None
    subjects = [_build_or_image(subject, engine) for subject in (x, *others)]
    return Explorer(subjects[0], *subjects[1:], engine=made_by)


def playground(
    dockerfile: str | Path,
    context: Path | str | Mapping[str, str] | None = None,
    *,
    name: str = "playground",
    engine: str | Engine | None = None,
) -> Playground:
    """Edit a Dockerfile and its files, build with live progress, compare attempts; last line of its cell.

    `context` is a dict of path -> text, or a folder of text files (it is copied, never written to). `name`
    keeps the edits and attempts when the cell runs again; the image is kept as "dockerlab/<name>".
    """
    text = read_dockerfile(dockerfile) if isinstance(dockerfile, Path) else dockerfile
    chosen, _ = find_engine(engine)
    folder = None if isinstance(context, Mapping) else as_context(context)
    files = context if isinstance(context, Mapping) else text_files(folder) if folder is not None else {}
    return Playground(text, files, engine=chosen, name=name, tag=default_tag(name))


def equipment(*subjects: Subject, engine: str | Engine | None = None) -> Table:
    """List which parts of a system images have: a shell, certificates, a C library and others.

    `.data` holds them by the images' names, as `analysis.equipment` finds them.
    """
    return equipment_table([_build_or_image(subject, engine) for subject in subjects])


def advise(
    x: Subject,
    *,
    dockerfile: str | Path | None = None,
    hadolint: bool = True,
    engine: str | Engine | None = None,
) -> AdviceTable:
    """List what could be better in a build, an image, or a reference, and what each change would save.

    A build knows its Dockerfile; for an image, `dockerfile` (its text, or a path) gives the lines. hadolint's
    findings are joined where it is installed. `.data` holds the findings.
    """
    from dockerlab.analysis.advice import advise as look_for_advice

    text = read_dockerfile(dockerfile) if isinstance(dockerfile, Path) else dockerfile
    chosen = engine_of(x, engine) if isinstance(x, str | Build) or engine is not None else None
    found = look_for_advice(
        chosen.image(x) if chosen is not None and isinstance(x, str) else _build_or_image(x, engine),
        dockerfile=None if text is None else parse(text),
        find_image=None if chosen is None else partial(held_image, chosen),
        hadolint=hadolint,
        engine=None if chosen is None else chosen.describe(),
    )
    return advice_table(found)


def status(*, engine: str | Engine | None = None) -> Status:
    """Say in one line which engine is used, why, and which bases are at hand (real or stand-in)."""
    chosen, why = find_engine(engine)
    return Status(chosen.describe(), why, bases_at_hand(chosen))


def images(*, engine: str | Engine | None = None) -> Table:
    """List the images the engine keeps for this course. Sizes are unpacked bytes."""
    chosen, _ = find_engine(engine)
    return images_table(chosen.images(), engine=chosen.describe())


def run(
    x: Subject,
    command: str | Sequence[str] | None = None,
    *,
    engine: str | Engine | None = None,
    timeout: float = 60,
) -> Output:
    """Run a command in an image and show what it printed; what it writes is not kept.

    A string goes to the image's `/bin/sh -c`, a list is run as it is (for images without a shell), None runs
    the image's own command. `timeout` is in seconds. A command that fails is no error here: look at
    `.exit_code`.
    """
    chosen = engine_of(x, engine)
    image = x.image if isinstance(x, Build) else x
    reference = image if isinstance(image, str) else image.id
    title = x.name if isinstance(x, Build) else (x if isinstance(x, str) else x.reference or x.id)
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else command
    ran = chosen.run(reference, argv, timeout=timeout)
    shown = command if isinstance(command, str) else " ".join(command or ("(the image's own command)",))
    return Output(ran.exit_code, ran.output, command=shown, where=f"{title}, {chosen.describe()}")


def predict(
    question: str, options: Sequence[Option], *, key: str | None = None, unit: str = ""
) -> Prediction:
    """Make a prediction card: let it be the last line of its cell, call `.reveal(measured)` on it later.

    `key` names the guess, so that re-running the cell finds it again: without one, the question does.
    `unit` is written behind each option.
    """
    return Prediction(question, options, key=key or question, unit=unit)


def _build_or_image(x: Subject, engine: str | Engine | None) -> Build | Image:
    return engine_of(x, engine).image(x) if isinstance(x, str) else x


def engine_of(x: Subject, engine: str | Engine | None = None) -> Engine:
    """Return the engine asked for, else the kind that made the build, else the best one here."""
    if engine is None and isinstance(x, Build):
        engine = "embedded" if x.builder == "embedded" else "docker"
    return find_engine(engine)[0]
