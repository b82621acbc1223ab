"""The learner's side of an exercise: check a build, open a hint, keep progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Protocol

from dockerlab import engines
from dockerlab.checks.contents import content_of, digest_of
from dockerlab.checks.exercises import (
    build_cache,
    copy_order,
    dockerignore,
    inspecting,
    layer_limits,
    metadata,
    multi_stage,
    package_managers,
    real_image,
    run_chaining,
    squash,
    start_here,
    web_app,
    what_is_a_layer,
    which_base,
)
from dockerlab.checks.manifest import hints as hints_of_all
from dockerlab.checks.manifest import lessons
from dockerlab.checks.progress import (
    ExerciseRecord,
    progress_path,
    read_progress,
    write_progress,
)
from dockerlab.checks.trial import Trial, on_trial
from dockerlab.checks.verdict import Hints, Report, Verdict
from dockerlab.context.context import Context, File
from dockerlab.engines.results import Build, Event, Finished
from dockerlab.errors import BuildError, DockerlabError, ImageNotFoundError, NotBuiltError, ProgressError
from dockerlab.notebook.not_built import NotBuilt
from dockerlab.units import count


class Definition(Protocol):
    """What the module of one exercise holds."""

    @property
    def STARTER(self) -> str:  # noqa: N802 - a module's constant
        """The Dockerfile the learner begins with: it works, and wastes."""
        ...

    @property
    def CONTEXT(self) -> Mapping[str, str | bytes | File] | None:  # noqa: N802 - a module's constant
        """The build context of starter and attempt, or None."""
        ...

    def rules(self, trial: Trial) -> list[Verdict]:
        """Measure the attempt; the starter gives the budget and the right results."""
        ...


EXERCISES: dict[str, Definition] = {
    "00-start-here": start_here,
    "01-what-is-a-layer": what_is_a_layer,
    "02-run-chaining": run_chaining,
    "03-package-managers": package_managers,
    "04-copy-and-add": copy_order,
    "05-build-cache": build_cache,
    "06-no-layer": metadata,
    "07-dockerignore": dockerignore,
    "08-multi-stage": multi_stage,
    "09-squash": squash,
    "10-layer-limits": layer_limits,
    "11-inspecting": inspecting,
    "12-web-app": web_app,
    "13-real-image-1": real_image.SMALLER,
    "13-real-image-2": real_image.FASTER,
    "13-real-image-3": real_image.ALL,
    "14-which-base": which_base,
}


def exercise(name: str) -> Exercise:
    """Return the exercise of that name; DockerlabError when there is none."""
    if name not in EXERCISES:
        raise DockerlabError(
            f"There is no exercise {name!r}.", hint=f"The exercises are: {', '.join(EXERCISES)}."
        )
    return Exercise(name, EXERCISES[name], hints_of_all().get(name, ()))


def judge(
    definition: Definition,
    attempt: Build,
    *,
    name: str,
    on_wait: Callable[[str], object],
    draw: Random | None = None,
) -> Report:
    """Measure `attempt` against the rules of an exercise, with the engine that built it.

    The starter is built too, which is cached after the first time; `on_wait` gets a sentence when it is not.
    `draw` gives what edits and questions hold, at random if left out. Raises BuildError when the starter
    cannot be built here.
    """
    engine, _ = engines.choose("embedded" if attempt.builder == "embedded" else "docker")
    told: list[str] = []

    def on_event(event: Event) -> None:
        slow = isinstance(event, Finished) and event.step.cached is False
        if slow and not told:
            told.append("Building the starter once, to compare with it ...")
            on_wait(told[0])

    try:
        engine.image(attempt.image.id)
    except ImageNotFoundError as error:
        raise ImageNotFoundError(
            f"The image of {attempt.name} is no longer kept: another build took its name, or it was removed.",
            hint=f"Run the cell that begins with %%dockerfile {attempt.name} again, then this one.",
        ) from error
    try:
        starter = engine.build(
            definition.STARTER,
            context=None if definition.CONTEXT is None else Context.files(definition.CONTEXT),
            tag=f"dockerlab/starter-{name}:latest",
            builder=attempt.builder,
            on_event=on_event,
        )
    except DockerlabError as error:
        raise BuildError(
            f"The check compares with the starter, and that could not be built here: {error.message}",
            hint="Where the network is the cause: check again when you are online. Your Dockerfile is not.",
        ) from error
    starter = replace(starter, name="the starter")
    with on_trial(attempt, starter, engine, name=name, draw=draw or Random()) as trial:
        verdicts = tuple(definition.rules(trial))
    return Report(
        exercise=name,
        verdicts=verdicts,
        engine=attempt.engine,
        stand_in=attempt.stand_in,
        lesson=f"../notebooks/{lessons().get(name, name)}.ipynb",
    )


class Exercise:
    """One exercise; what is known of it is in the progress file, so running a cell again loses nothing."""

    def __init__(self, name: str, definition: Definition, hints: Sequence[str]) -> None:
        self.name = name
        self.definition = definition
        self.hints = tuple(hints)
        self._files: dict[str, str | bytes | File] = {}  # as given to the learner, who edits them
        self._unsaved = ExerciseRecord()  # what is known where the progress file cannot be used

    @property
    def starter(self) -> str:
        """The Dockerfile to begin with."""
        return self.definition.STARTER

    @property
    def context(self) -> dict[str, str | bytes | File]:
        """The files to build it with, anew each time; none where the exercise needs none."""
        self._files = dict(self.definition.CONTEXT or {})
        return self._files

    def check(self, mine: object, *, record: bool = True) -> Report:
        """Measure a build against the rules and show what was found.

        `mine` is what `%%dockerfile` or `lab.build` returned. `record=False` leaves the progress file alone.
        Raises DockerlabError when there is no build to measure.
        """
        build = _as_build(mine)
        report = judge(self.definition, build, name=self.name, on_wait=_say)
        late = self._edited_since(build)
        if not record:
            return replace(report, notes=late)
        known, notes = self._update(lambda known: known.after(report))
        if report.passed:
            notes = (*notes, f"How others did it, and why: ../solutions/solution-{self.name}.ipynb")
        elif known.hints < len(self.hints):
            notes = (*notes, f"task.hint() opens hint {known.hints + 1} of {len(self.hints)}.")
        return replace(report, notes=(*late, *notes))

    def _edited_since(self, build: Build) -> tuple[str, ...]:
        """Say which of the files the learner edited and did not build with."""
        given, used = self.definition.CONTEXT or {}, build.recipe.context or Context.files({})
        edited = {path: one for path, one in self._files.items() if one != given.get(path)}
        there = used.all_files()
        late = [
            path
            for path, one in edited.items()
            if (node := there.get(path)) is None or digest_of(content_of(node)) != digest_of(one)
        ]
        if not late:
            return ()
        then = f"run the cell that begins with %%dockerfile {build.name} again, then this one."
        return (f"{build.name} was built before {' and '.join(late)} became what it is now: {then}",)

    def hint(self) -> Hints:
        """Open the next hint, and show it below those already open; all of them once it is passed."""
        if not self.hints:
            raise DockerlabError(f"The exercise {self.name} has no hints.")
        total = len(self.hints)
        known, notes = self._update(
            lambda known: known if known.passed else replace(known, hints=min(known.hints + 1, total))
        )
        number = total if known.passed else known.hints
        if number == total:
            notes = (*notes, f"That is the last hint. A solution: ../solutions/solution-{self.name}.ipynb")
        return Hints(self.name, self.hints[:number], total, notes)

    def __repr__(self) -> str:
        try:
            known = read_progress(progress_path()).of(self.name)
        except ProgressError as error:
            return f"Exercise {self.name}. {error}"
        if known.passed:
            return f"Exercise {self.name}: passed on {str(known.passed_at)[:10]}, at try {known.tries}."
        if known.tries or known.hints:
            tried = count(known.tries, "try", "tries")
            return f"Exercise {self.name}: not passed yet, {tried}, {count(known.hints, 'hint')} opened."
        return (
            f"Exercise {self.name}: not tried yet. {count(len(self.hints), 'hint')} to open if you want them."
        )

    def _update(
        self, change: Callable[[ExerciseRecord], ExerciseRecord]
    ) -> tuple[ExerciseRecord, tuple[str, ...]]:
        """Change this exercise's record; trouble with the file is a note, the verdicts are shown."""
        path = progress_path()
        try:
            progress = read_progress(path)
            record = change(progress.of(self.name))
            write_progress(path, progress.with_record(self.name, record))
        except ProgressError as error:
            self._unsaved = change(self._unsaved)
            return self._unsaved, (f"Your progress was not kept. {error.message} {error.hint}",)
        return record, ()


def _as_build(mine: object) -> Build:
    if isinstance(mine, Build):
        return mine
    if isinstance(mine, NotBuilt):
        raise NotBuiltError(mine)
    raise DockerlabError(
        f"A {type(mine).__name__} is no build.",
        hint="Pass the name that stands behind %%dockerfile: task.check(mine).",
    )


def _say(sentence: str) -> None:
    print(sentence, flush=True)
