"""Base images: where they come from, and the stand-ins made of Debian packages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerlab.engines.embedded import EmbeddedEngine
from dockerlab.engines.embedded.bases import debian, standins, trust
from dockerlab.engines.embedded.bases.bases import Bases
from dockerlab.engines.embedded.bases.debian import Mirrors, mirrors
from dockerlab.engines.embedded.sandbox.contract import Sandbox
from dockerlab.engines.embedded.store.store import Store
from dockerlab.engines.results import Event, Note
from dockerlab.errors import DockerlabError, RegistryError
from dockerlab.image.image import Image
from dockerlab.registry.repository import forget_silent_registries
from tests.engines.embedded.test_registry import Fake
from tests.engines.embedded.test_store import put_image


def no_sandbox() -> Sandbox:
    """Fail a test that needs no sandbox but asks for one."""
    raise AssertionError("no sandbox is needed here")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Give an empty store."""
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    """Let no registry be remembered as silent from one test to the next."""
    forget_silent_registries()
    yield
    forget_silent_registries()


def test_a_local_image_is_taken_first(store: Store) -> None:
    """An image of that name in the store is used without asking anybody."""
    image = put_image(store, "debian:trixie-slim")
    assert Bases(store, no_sandbox).get("debian:trixie-slim") == image


def test_a_registry_comes_next(store: Store) -> None:
    """What a registry has is pulled, once."""
    fake = Fake()
    try:
        bases = Bases(store, no_sandbox)
        image = bases.get(fake.reference)
        assert (image.reference, image.stand_in) == (fake.reference, None)
        asked = len(fake.asked)
        assert bases.get(fake.reference) == image
        assert len(fake.asked) == asked
    finally:
        fake.server.shutdown()
        fake.server.server_close()


def test_without_any_source_all_three_are_named(store: Store) -> None:
    """No image, no registry, no recipe: the error says so, and what stand-ins there are."""
    with pytest.raises(RegistryError) as caught:
        Bases(store, no_sandbox).get("registry.invalid/x:1")
    text = str(caught.value)
    assert "registry.invalid/x:1 is not in the store" in text
    assert "registry.invalid cannot be found" in text
    assert "no stand-in for it (there is for debian:trixie-slim," in text
    assert "dockerlab load" in caught.value.hint


def test_without_a_mirror_the_setting_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose apt is not Debian's is told to set DOCKERLAB_DEBIAN_MIRROR."""
    monkeypatch.setattr(debian, "mirrors", lambda: None)
    with pytest.raises(RegistryError, match="no Debian mirror") as caught:
        standins.make_minbase(
            standins.Minbase("trixie", slim=True),
            "debian:trixie-slim",
            store,
            no_sandbox,
            on_event=lambda _: None,
        )
    assert "DOCKERLAB_DEBIAN_MIRROR" in caught.value.hint


def test_every_recipe_has_its_dockerfile() -> None:
    """Each stand-in of the table is a Debian system or a Dockerfile in the recipes folder."""
    folder = Path(standins.__file__).parent / "recipes"
    used = set()
    for reference in standins.references():
        recipe = standins.recipe(reference)
        assert standins.kept_as(reference).startswith("dockerlab/stand-in:")
        if isinstance(recipe, standins.Derived):
            used.add(recipe.file)
    assert used == {path.name for path in folder.iterdir()}
    assert standins.recipe("docker.io/library/debian:13-slim") == standins.recipe("debian:trixie-slim")
    assert standins.recipe("nosuch:1") is None


ONE_LINE = """\
# deb http://commented.example/debian trixie main
deb [arch=amd64 signed-by=/x] http://mirror.example/debian/ bookworm main contrib
deb-src http://sources.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb https://packages.example/apt cloud-sdk-bookworm main
"""
DEB822 = """\
Types: deb deb-src
URIs: http://off.example/debian
Suites: trixie
Enabled: no

Types: deb
# a comment
URIs: {uri}
Suites: trixie
 trixie-updates
Components: main

Types: deb
URIs: http://security.example/debian-security/
Suites: trixie-security
"""


@pytest.mark.parametrize("form", ["sources.list", "deb822", "mirror file", "ubuntu", "setting"])
def test_the_mirror_is_the_hosts_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The Debian mirror is read from the host's apt configuration, in all its forms, or from the setting."""
    monkeypatch.delenv("DOCKERLAB_DEBIAN_MIRROR", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    expected: Mirrors | None = Mirrors(
        "http://mirror.example/debian", "http://security.example/debian-security"
    )
    if form == "sources.list":
        (tmp_path / "sources.list").write_text(ONE_LINE)
    elif form == "deb822":
        (tmp_path / "sources.list.d" / "x.sources").write_text(
            DEB822.format(uri="http://mirror.example/debian")
        )
    elif form == "mirror file":
        (tmp_path / "list").write_text("http://mirror.example/debian\npriority:2\n")
        (tmp_path / "sources.list.d" / "x.sources").write_text(
            DEB822.format(uri=f"mirror+file://{tmp_path}/list")
        )
    elif form == "ubuntu":
        (tmp_path / "sources.list").write_text("deb http://mirror.example/ubuntu noble main\n")
        expected = None
    else:
        monkeypatch.setenv("DOCKERLAB_DEBIAN_MIRROR", "http://chosen.example/debian/")
        expected = Mirrors(
            "http://chosen.example/debian", "http://chosen.example/debian-security", guessed=True
        )
    assert mirrors(tmp_path) == expected


def test_only_certificates_nobody_else_has_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of SSL_CERT_FILE only what no public bundle has goes into a stand-in; each once."""
    import certifi

    own = b"-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n"
    (tmp_path / "bundle.pem").write_bytes(own + Path(certifi.where()).read_bytes() + own)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    assert trust.own_certificates() == [own]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing"))
    assert trust.own_certificates() == []


# Real ones


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    """Give an engine; skip where Debian packages or a sandbox cannot be had."""
    if shutil.which("apt-get") is None or mirrors() is None or not debian.KEYRING.is_file():
        pytest.skip("no apt with a Debian mirror here")
    made = EmbeddedEngine(tmp_path_factory.mktemp("home"))
    try:
        _ = made.sandbox
    except DockerlabError as error:
        pytest.skip(error.message)
    return made


@pytest.fixture(scope="module")
def base(engine: EmbeddedEngine) -> Image:
    """Make the stand-in for debian:trixie-slim."""
    events: list[Event] = []
    try:
        image = engine.bases.stand_in("debian:trixie-slim", on_event=events.append)
    except RegistryError as error:
        pytest.skip(error.message)
    told = [event for event in events if isinstance(event, Note) and event.unit == "packages"]
    for what in ("unpacking packages", "setting up packages"):
        done = [event.done for event in told if what in event.text]
        total = max(event.total for event in told if what in event.text)
        assert done == sorted(done)
        assert total - 1 <= done[-1] <= total
        assert total > 70
    assert image is not None
    return image


def test_a_stand_in_is_shaped_as_the_official_image(base: Image) -> None:
    """One layer, merged /usr, apt and dpkg settings of Docker images, no documentation, caches or lists."""
    tree = base.tree()
    assert (base.stand_in, base.reference) == ("debian:trixie-slim", "dockerlab/stand-in:debian-trixie-slim")
    assert len(base.layers) == 1
    assert 70e6 < base.layers[0].size_tar < 90e6
    for folder in ("bin", "sbin", "lib"):
        node = tree.get(folder)
        assert node is not None
        assert (node.entry.kind, node.entry.link) == ("symlink", f"usr/{folder}")
    for name in ("docker-clean", "docker-gzip-indexes", "docker-no-languages", "docker-autoremove-suggests"):
        assert f"etc/apt/apt.conf.d/{name}" in tree
    policy = tree.get("usr/sbin/policy-rc.d")
    assert policy is not None
    assert policy.entry.mode == 0o755
    paths = list(tree)
    assert not [
        path for path in paths if path.startswith(("usr/share/man/", "usr/share/locale/", "run/packages"))
    ]
    assert {path.rpartition("/")[2] for path in paths if path.startswith("usr/share/doc/")} >= {
        "copyright",
        "bash",
    }
    assert not [
        path for path in paths if path.startswith("var/lib/apt/lists/") and not path.endswith("/partial")
    ]
    assert "etc/machine-id" not in tree
    assert base.config["config"]["Cmd"] == ["bash"]
    sources = tree.read("etc/apt/sources.list.d/debian.sources")
    assert sources is not None
    assert b"Suites: trixie trixie-updates\n" in sources
    shadow = tree.get("etc/shadow")
    assert shadow is not None
    assert (shadow.entry.uid, shadow.entry.gid, shadow.entry.mode) == (0, 42, 0o640)


def test_packages_are_not_kept_once_used(engine: EmbeddedEngine, base: Image) -> None:
    """When a stand-in is made, what was downloaded for it is gone."""
    assert list((engine.store.root / "downloads").iterdir()) == []


def test_dpkg_finds_a_stand_in_whole(engine: EmbeddedEngine, base: Image) -> None:
    """dpkg and apt in the image see nothing half done, and every file of every package as it should be."""
    assert base.reference is not None
    states = "dpkg-query -W -f '${db:Status-Abbrev}\\n' | sort -u"
    checks = f"dpkg --audit && apt-get -qq check && dpkg --verify && {states}"
    ran = engine.run(base.reference, ["sh", "-c", checks])
    said = [line for line in ran.output.splitlines() if "/usr/share/" not in line]  # left out on purpose
    assert (ran.exit_code, said) == (0, ["ii "])


def test_a_stand_in_is_made_once(engine: EmbeddedEngine, base: Image) -> None:
    """The second request takes the one that is there, and other names of the same image share it."""
    events: list[Event] = []
    assert engine.bases.stand_in("debian:13-slim", on_event=events.append) == base
    assert events == []
    assert engine.store.validate() == []


@pytest.mark.docker
def test_a_stand_in_goes_to_docker_under_our_name(engine: EmbeddedEngine, base: Image) -> None:
    """The archive for Docker loads as dockerlab/stand-in:..., and runs there."""
    path = engine.bases.stand_in_archive("debian:trixie-slim")
    assert path is not None
    assert path == engine.bases.stand_in_archive("debian:trixie-slim")
    assert engine.bases.stand_in_archive("nosuch:1") is None
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker daemon")
    loaded = subprocess.run(["docker", "load", "-i", path], capture_output=True, text=True, check=True)
    assert loaded.stdout.endswith(f"Loaded image: {base.reference}\n")
    ran = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", f"{base.reference}", "cat", "/etc/debian_version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("13.")


def test_python_stands_in_with_pip_and_venv(engine: EmbeddedEngine, base: Image) -> None:
    """The stand-in for python:3.13-slim has python, pip and venv under the official image's names."""
    image = engine.bases.stand_in("python:3.13-slim")
    assert image is not None
    assert image.stand_in == "python:3.13-slim"
    assert image.layers[0] == base.layers[0]
    assert image.reference is not None
    ran = engine.run(
        image.reference,
        ["sh", "-c", "python -V && pip --version && python -m venv /tmp/v && ls /tmp/v/bin/pip"],
    )
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("Python 3.13.")


def test_node_stands_in_with_npm(engine: EmbeddedEngine, base: Image) -> None:
    """The stand-in for node:22-slim runs Node 22, and npm installs a package with it."""
    image = engine.bases.stand_in("node:22-slim")
    assert image is not None
    assert image.stand_in == "node:22-slim"
    assert image.layers[0] == base.layers[0]
    assert image.reference is not None
    use = "node -v && cd /tmp && npm install --no-audit is-odd@3.0.1 && node -p 'require(`is-odd`)(3)'"
    ran = engine.run(image.reference, ["sh", "-c", use])
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("v22.")
    assert ran.output.rstrip().endswith("true")
