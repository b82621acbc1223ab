"""How many layers an image may have here: what lesson 10 measures, in both sandboxes."""

from __future__ import annotations

import pytest

from dockerlab.context.context import Context
from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.sandbox.namespaces.namespaces import MAX_LAYERS, NamespaceSandbox
from dockerlab.engines.embedded.sandbox.proot.proot import ProotSandbox
from dockerlab.errors import BuildError, EngineError
from tests.conformance import bases

FILES = Context.files({"note": "one layer\n"})
COUNT = "ls /notes | grep -c ."


def pile(layers: int) -> str:
    """Return a Dockerfile whose image has that many layers, its base's one included."""
    base = bases.reference("base", "limits")
    return f"FROM {base}\n" + "".join(f"COPY note /notes/{number}\n" for number in range(1, layers))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    """An engine that has a base image with a shell."""
    program = bases.busybox()
    if program is None:
        pytest.skip("needs a statically linked busybox (Debian: busybox-static) to make a base image of")
    folder = tmp_path_factory.mktemp("limits")
    engine = EmbeddedEngine(folder / "home")
    engine.load(bases.archives(folder, program, "limits")["base"])
    return engine


@pytest.fixture
def namespaces(engine: EmbeddedEngine) -> EmbeddedEngine:
    """The engine with the namespaces sandbox."""
    sandbox = NamespaceSandbox(engine.store.work)
    refused = sandbox.probe()
    if refused is not None:
        pytest.skip(f"needs namespaces: {refused}")
    engine.__dict__["sandbox"] = sandbox
    return engine


@pytest.fixture
def proot(engine: EmbeddedEngine) -> EmbeddedEngine:
    """The engine with the proot sandbox."""
    try:
        engine.__dict__["sandbox"] = ProotSandbox(engine.store.work)
    except EngineError as error:
        pytest.skip(f"needs proot: {error.message}")
    return engine


@pytest.mark.parametrize("layers", [130, MAX_LAYERS])
def test_namespaces_stack_as_many_as_the_kernel_does(namespaces: EmbeddedEngine, layers: int) -> None:
    """130 layers, where Docker's overlay2 has stopped, and 500: a RUN is done on them, a container starts."""
    built = namespaces.build(pile(layers) + f"RUN {COUNT} > /count\n", context=FILES)
    assert len(built.image.layers) == layers + 1
    assert built.image.tree().read("count") == b"%d\n" % (layers - 1)
    namespaces.build(pile(layers), context=FILES, tag="pile")
    assert namespaces.run("pile", ["/bin/sh", "-c", COUNT]).output == f"{layers - 1}\n"


def test_namespaces_refuse_one_more(namespaces: EmbeddedEngine) -> None:
    """501 layers are built, for COPY stacks nothing; a RUN on them is refused by its line, a start too."""
    refused = f"has {MAX_LAYERS + 1} layers below it; the kernel can stack {MAX_LAYERS}"
    text = pile(MAX_LAYERS + 1)
    built = namespaces.build(text, context=FILES, tag="pile")
    assert len(built.image.layers) == MAX_LAYERS + 1
    with pytest.raises(BuildError, match=refused) as run:
        namespaces.build(text + "RUN true\n", context=FILES)
    assert run.value.line == MAX_LAYERS + 2
    with pytest.raises(BuildError, match=refused):
        namespaces.run("pile", ["/bin/sh", "-c", COUNT])


def test_a_squash_is_a_way_out(namespaces: EmbeddedEngine) -> None:
    """Squashed, the same lines have two layers, and a container starts."""
    built = namespaces.build(pile(MAX_LAYERS + 1), context=FILES, tag="pile", squash=True)
    assert len(built.image.layers) == 2
    assert namespaces.run("pile", ["/bin/sh", "-c", COUNT]).output == f"{MAX_LAYERS}\n"


@pytest.mark.parametrize("layers", [130, 500, 600])
def test_proot_stacks_nothing(proot: EmbeddedEngine, layers: int) -> None:
    """Under proot no number of layers ends it: 600 are built and run on like 130."""
    built = proot.build(pile(layers) + f"RUN {COUNT} > /count\n", context=FILES, tag="pile")
    assert built.image.tree().read("count") == b"%d\n" % (layers - 1)
    assert proot.run("pile", ["/bin/sh", "-c", COUNT]).output == f"{layers - 1}\n"
