"""Base images for builds on Docker: those it has, those it can pull, and stand-ins for the others.

A stand-in lives under a name of ours, `dockerlab/stand-in:<reference>`. Nobody's own `debian:...` is ever
made, moved or hidden: BuildKit is told by --build-context, the legacy builder by another FROM in what it is
sent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from dockerlab.dockerfile.parser import Dockerfile
from dockerlab.engines.results import Note, OnEvent
from dockerlab.errors import EngineError
from dockerlab.image import oci
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.archive_writer import renamed, write_archive
from dockerlab.image.reference import OWN_PREFIX, Reference, parsed, same_reference, stand_in_name

StandInMaker = Callable[[str, OnEvent], Path | None]
Api = Any  # docker.APIClient, which is not typed

LABEL = "dev.dockerlab"
KEPT = f"{OWN_PREFIX}kept"  # repository of the names that builds have before their own, and of what is held
PULL_SILENCE = 20.0  # seconds without a word from the registry, after which a pull is given up

_unpullable: dict[str, str] = {}  # full reference -> why; tried once per process


class DockerBases:
    """Finds out, once per process and reference, where a base image comes from."""

    def __init__(
        self,
        api: Callable[[], Api],
        puller: Callable[[float], Api],
        stand_in: StandInMaker | None,
    ) -> None:
        self._api = api
        self._puller = puller
        self._stand_in = stand_in

    def ready(self, references: Iterable[str], on_event: OnEvent) -> dict[str, str]:
        """Return the references that a stand-in must serve, each with the stand-in's own name.

        Without a maker of stand-ins nothing is pulled here: Docker pulls as it builds.
        """
        served: dict[str, str] = {}
        for reference in references if self._stand_in is not None else ():
            if parsed(reference) is None:  # let the build say so
                continue
            if self.has(reference) or self._pulled(reference, on_event):
                continue
            name = stand_in_name(reference)
            if self._is_stand_in(name, reference) or self._made(reference, name, on_event):
                served[reference] = name
                why = _unpullable[Reference.parse(reference).full]
                on_event(Note(f"{reference} is a stand-in here: {why}"))
        return served

    def has(self, reference: str) -> bool:
        """Tell whether Docker has an image of that name."""
        return self.inspect(reference) is not None

    def _is_stand_in(self, name: str, reference: str) -> bool:
        """Tell whether Docker has an image of that name that says it is the reference's stand-in."""
        labels = ((self.inspect(name) or {}).get("Config") or {}).get("Labels") or {}
        return same_reference(labels.get(oci.STAND_IN, ""), reference)

    def inspect(self, reference: str) -> Mapping[str, Any] | None:
        """Return what Docker knows of an image it has."""
        from docker.errors import APIError, ImageNotFound, NullResource

        try:
            return cast("Mapping[str, Any]", self._api().inspect_image(reference))
        except ImageNotFound:
            return None
        except NullResource:
            return None
        except APIError as error:
            if error.is_client_error():  # a reference that is none: let the build say so
                return None
            raise

    def tag(self, identity: str, reference: str) -> None:
        """Give an image a name, which moves to it."""
        name = Reference.parse(reference)
        self._api().tag(identity, f"{name.registry}/{name.repository}", tag=name.tag)

    def untag(self, reference: str) -> None:
        """Take a name away, and with its last one the image; where there is no such name nothing happens."""
        from docker.errors import NotFound

        with suppress(NotFound):
            self._api().remove_image(reference)

    def _pulled(self, reference: str, on_event: OnEvent) -> bool:
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        wanted = Reference.parse(reference)
        full = wanted.full
        if full in _unpullable:
            return False
        on_event(Note(f"Pulling {reference}."))
        api = self._puller(PULL_SILENCE)
        try:
            for message in api.pull(
                f"{wanted.registry}/{wanted.repository}",
                tag=wanted.digest or wanted.tag,
                stream=True,
                decode=True,
            ):
                if "error" in message:
                    _unpullable[full] = f"it cannot be pulled ({_reason(str(message['error']))})."
                    return False
                detail = message.get("progressDetail") or {}
                if detail.get("total"):
                    on_event(
                        Note(f"Pulling {reference}.", int(detail.get("current", 0)), int(detail["total"]))
                    )
        except (APIError, DockerException) as error:
            why = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
            _unpullable[full] = f"it cannot be pulled ({_reason(str(why))})."
            return False
        except RequestException:
            _unpullable[full] = f"its registry said nothing for {PULL_SILENCE:.0f} seconds."
            return False
        finally:
            api.close()
        return True

    def _made(self, reference: str, name: str, on_event: OnEvent) -> bool:
        assert self._stand_in is not None
        on_event(Note(f"{reference} cannot be pulled: making a stand-in of the same kind."))
        path = self._stand_in(reference, lambda event: on_event(event) if isinstance(event, Note) else None)
        if path is None:
            return False
        with tempfile.TemporaryFile() as out:
            stream = cast(BinaryIO, out)
            labels = {LABEL: "1", oci.STAND_IN: reference}
            write_archive([renamed(read_archive(path), name, labels=labels)], stream)
            stream.seek(0)
            for message in self._api().load_image(stream):
                if "error" in message:
                    raise EngineError(f"Docker did not take the stand-in of {reference}: {message['error']}")
        return True


def rewritten(dockerfile: Dockerfile, served: Mapping[str, str], expand: Callable[[str, int], str]) -> str:
    """Return the Dockerfile's text with the references in `served` replaced, line numbers kept.

    `expand` puts global arguments into a FROM's word, given its line.
    """
    rows = dockerfile.text.split("\n")
    for stage in dockerfile.stages:
        name = served.get(expand(stage.base, stage.from_.line))
        if name is not None:
            _replace(rows, stage.from_.line, stage.from_.end_line, stage.base, name)
        for one in stage.instructions:
            source = one.flag("from") if one.keyword in ("COPY", "ADD") else None
            if source is not None and source in served:
                _replace(rows, one.line, one.end_line, f"--from={source}", f"--from={served[source]}")
    return "\n".join(rows)


def _replace(rows: list[str], first: int, last: int, old: str, new: str) -> None:
    for at in range(first - 1, last):
        if old in rows[at]:
            rows[at] = rows[at].replace(old, new, 1)
            return


def _reason(message: str) -> str:
    """Return the part of a registry's refusal that says why."""
    for known in (
        "no such host",
        "connection refused",
        "i/o timeout",
        "network is unreachable",
        "toomanyrequests",
    ):
        if known in message:
            return known
    return message.strip().splitlines()[0][-120:] if message.strip() else "no reason given"
