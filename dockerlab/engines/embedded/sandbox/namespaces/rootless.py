"""The same namespaces for a user without rights, as root of a user namespace.

What touches the files of layers is done by a process inside, see user_namespace.py: they belong to other ids
of this user's. What a RUN prints, and the layer it made, come out through pipes.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from dockerlab.engines.embedded import user_namespace
from dockerlab.engines.embedded.sandbox.contract import Command
from dockerlab.engines.embedded.sandbox.namespaces.namespaces import NamespaceSandbox
from dockerlab.errors import EngineError
from dockerlab.image.image import Layer
from dockerlab.interrupt import ended_by

_CHUNK = 1 << 18


class RootlessSandbox:
    """Runs commands as NamespaceSandbox does, for a user who has ids to give away and no rights.

    Below `work` it keeps what that one does, in a folder of its own, since the owners on disk are others.
    """

    name = "user namespace"

    def __init__(self, work: Path) -> None:
        self._work = work.absolute() / "rootless"

    def run(
        self,
        layers: Sequence[Layer],
        command: Command,
        *,
        output: Callable[[bytes], None],
        layer: BinaryIO | None,
        timeout: float | None = None,
    ) -> int:
        """Run `command` on `layers`; see Sandbox.run. Raises what NamespaceSandbox.run does."""
        takers: dict[int, Callable[[bytes], object]] = {}
        with (
            user_namespace.inside() as process,
            ExitStack() as stack,
            selectors.DefaultSelector() as selector,
        ):
            ends = []
            for take in (output, None if layer is None else layer.write):
                reader, writer = os.pipe()
                stack.callback(os.close, reader)
                ends.append(writer)
                if take is not None:
                    takers[reader] = take
                selector.register(reader, selectors.EVENT_READ)
            try:
                process.ask(_run, self._work, list(layers), command, timeout, layer is not None, files=ends)
            finally:
                for end in ends:
                    os.close(end)
            with ended_by(process.stop):
                while selector.get_map():
                    for key, _ in selector.select():
                        data = os.read(key.fd, _CHUNK)
                        if data:
                            takers[key.fd](data)
                        else:
                            selector.unregister(key.fd)
            code: int = process.answer()
        return code

    def probe(self) -> str | None:
        """Try it for real; return None when it works, else why it does not."""
        try:
            refused: str | None = user_namespace.call(_probe, self._work)
        except EngineError as error:
            return error.message
        return refused


def _run(
    work: Path,
    layers: list[Layer],
    command: Command,
    timeout: float | None,
    wanted: bool,
    output_end: int,
    layer_end: int,
) -> int:
    with os.fdopen(output_end, "wb") as output, os.fdopen(layer_end, "wb") as layer:

        def pass_on(data: bytes) -> None:
            output.write(data)
            output.flush()

        return NamespaceSandbox(work).run(
            layers, command, output=pass_on, layer=layer if wanted else None, timeout=timeout
        )


def _probe(work: Path) -> str | None:
    return NamespaceSandbox(work).probe()
