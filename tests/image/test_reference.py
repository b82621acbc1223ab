"""The grammar of references, and every place that takes one."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerlab import engines
from dockerlab.cli import main
from dockerlab.context.context import Context
from dockerlab.engines.embedded.bases import standins
from dockerlab.engines.embedded.engine import EmbeddedEngine
from dockerlab.engines.results import ImageSummary
from dockerlab.errors import DockerlabError, ImageError
from dockerlab.image.archive_reader import read_archive
from dockerlab.image.reference import Reference, same_reference, stand_in_name
from dockerlab.inputs import held_image
from tests.fake_engine import FakeEngine
from tests.tiny_images import stack

SHA = "sha256:" + "0123456789abcdef" * 4

# What people write -> (the full name, the familiar one).
FORMS = {
    "box": ("docker.io/library/box:latest", "box:latest"),
    "box:1": ("docker.io/library/box:1", "box:1"),
    "library/box:1": ("docker.io/library/box:1", "box:1"),
    "docker.io/box:1": ("docker.io/library/box:1", "box:1"),
    "docker.io/library/box:1": ("docker.io/library/box:1", "box:1"),
    "index.docker.io/box:1": ("docker.io/library/box:1", "box:1"),
    "index.docker.io/me/box": ("docker.io/me/box:latest", "me/box:latest"),
    "me/box": ("docker.io/me/box:latest", "me/box:latest"),
    "library/a/box:1": ("docker.io/library/a/box:1", "library/a/box:1"),
    "localhost/box:1": ("localhost/box:1", "localhost/box:1"),
    "localhost:5000/box": ("localhost:5000/box:latest", "localhost:5000/box:latest"),
    "LOCALHOST/box:1": ("LOCALHOST/box:1", "LOCALHOST/box:1"),
    "127.0.0.1:5000/me/box:1": ("127.0.0.1:5000/me/box:1", "127.0.0.1:5000/me/box:1"),
    "[::1]:5000/box:1": ("[::1]:5000/box:1", "[::1]:5000/box:1"),
    "[2001:db8::1]/box:1": ("[2001:db8::1]/box:1", "[2001:db8::1]/box:1"),
    "xn--n3h.example.com/box:1": ("xn--n3h.example.com/box:1", "xn--n3h.example.com/box:1"),
    "ghcr.io/o/a__b/c--d.e:v1.2_-x": ("ghcr.io/o/a__b/c--d.e:v1.2_-x", "ghcr.io/o/a__b/c--d.e:v1.2_-x"),
    "registry-1.docker.io/box:1": ("registry-1.docker.io/box:1", "registry-1.docker.io/box:1"),
    "r.example.com:443/r.example.com:1": ("r.example.com:443/r.example.com:1",) * 2,
    "box:" + "t" * 128: ("docker.io/library/box:" + "t" * 128, "box:" + "t" * 128),
    "me/" + "b" * 200: ("docker.io/me/" + "b" * 200 + ":latest", "me/" + "b" * 200 + ":latest"),
    f"box@{SHA}": (f"docker.io/library/box@{SHA}", f"box@{SHA}"),
    f"box:1@{SHA}": (f"docker.io/library/box:1@{SHA}", f"box:1@{SHA}"),
    "ghcr.io/box@sha512:" + "0" * 128: ("ghcr.io/box@sha512:" + "0" * 128,) * 2,
}
NONE = [
    "",
    "UPPER",
    "me/Box",
    "Box:1",
    "docker.io/Me/box",
    "a b",
    " box",
    "box:",
    "box:-1",
    "box:1:2",
    "a//b",
    "/box",
    "box/",
    "../x",
    "a/../b",
    "-x",
    "x-",
    "a___b",
    "a..b",
    "a_.b",
    "bäx",
    "box:ä",
    "box:" + "t" * 129,
    "me/" + "b" * 256,
    "b" * 256,
    "exam_ple.com:80/box",
    "-a.com/box",
    "[::1/box",
    "[g::1]:5000/box",
    "host:port/box",
    "box@",
    "box@sha256:1",
    "box@sha256:" + "0" * 63,
    "box@sha256:" + "A" * 64,
    "box@sha1:" + "0" * 40,
    "box@md99:" + "0" * 64,
    f"box@{SHA}@{SHA}",
    f"@{SHA}",
    "0123456789abcdef" * 4,
    "\n",
    "box\n",
]
PLAIN = [form for form in FORMS if "@" not in form]


@pytest.mark.parametrize(("text", "names"), FORMS.items())
def test_a_reference_gets_dockers_defaults(text: str, names: tuple[str, str]) -> None:
    """A reference is completed as Docker completes it, and both its names are references to the same."""
    reference = Reference.parse(text)
    assert (reference.full, reference.familiar) == names
    assert Reference.parse(names[0]) == Reference.parse(names[1]) == reference
    assert same_reference(text, names[0])


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_reference_is_refused(text: str) -> None:
    """Text that Docker would not take as a reference is refused with what is wrong in it."""
    with pytest.raises(ImageError, match="is not an image reference"):
        Reference.parse(text)
    assert not same_reference(text, text)


class Places:
    """One image, "known", in every place that is asked for images by name; each answers with an ID."""

    def __init__(self, folder: Path, known: str) -> None:
        self.folder = folder
        self.archive = folder / "image.tar"
        self.id = stack(folder, [{"a": b"1"}], name=known).id
        self.engine = EmbeddedEngine(folder / "home")
        self.engine.load(self.archive)
        self.layout = self.engine.store.root
        self.packed = folder / "layout.tar"
        with tarfile.open(self.packed, "w") as tar:
            for name in ("oci-layout", "index.json", "blobs"):
                tar.add(self.layout / name, name)
        self.base = ImageSummary(stand_in_name(known), self.id, "", 1, 1, stand_in=known)

    def store(self, asked: str) -> str:
        """Ask the store."""
        return self.engine.image(asked).id

    def docker_archive(self, asked: str) -> str:
        """Ask a `docker save` archive."""
        return read_archive(self.archive, asked).id

    def oci_layout(self, asked: str) -> str:
        """Ask an OCI layout."""
        return read_archive(self.layout, asked).id

    def oci_archive(self, asked: str) -> str:
        """Ask a tar of an OCI layout."""
        return read_archive(self.packed, asked).id

    def from_line(self, asked: str) -> str:
        """Build on it."""
        return self._parent(self.engine.build(f"FROM {asked}\nLABEL a=b\n").image.layers[0].diff_id)

    def copy_from(self, asked: str) -> str:
        """Copy out of it."""
        built = self.engine.build(f"FROM scratch\nCOPY --from={asked} / /\n")
        return self.id if "a" in built.image.tree() else "another"

    def held(self, asked: str) -> str:
        """Look for a sibling as advice does."""
        found = held_image(self.engine, asked)
        return found.id if found else "none"

    def held_stand_in(self, asked: str) -> str:
        """Look for a stand-in as advice does."""
        engine = FakeEngine(self.folder, bases=[self.base])
        engine.kept[self.base.reference] = self.engine.image(self.id)
        found = held_image(engine, asked)
        return found.id if found else "none"

    def saved(self, asked: str) -> str:
        """Save it."""
        self.engine.save([asked], self.folder / "saved.tar")
        return read_archive(self.folder / "saved.tar").id

    def stand_in(self, asked: str) -> str:
        """Compare what a stand-in is kept as."""
        return self.id if standins.kept_as(asked) == self.base.reference else "another"

    def removed(self, asked: str) -> str:
        """Remove it, by that name alone."""
        self.engine.remove(asked)
        return self.id if not self.engine.images() else "nothing removed"

    def last_build(self, asked: str) -> str:
        """Ask what is kept of the last build of that name."""
        return self.id if self.engine.last_build(asked) else "none"

    def _parent(self, diff_id: str) -> str:
        return self.id if self.engine.image(self.id).layers[0].diff_id == diff_id else "another"


PLACES: dict[str, Callable[[Places, str], str]] = {
    name: call for name, call in vars(Places).items() if not name.startswith("_")
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("known", ["box:1", "me/box:latest", "localhost:5000/box:latest", "[::1]:5000/box:1"])
def test_every_place_knows_an_image_by_each_of_its_names(tmp_path: Path, place: str, known: str) -> None:
    """Whatever form of its name is asked for, each place finds the image, and by no other image's name."""
    places = Places(tmp_path, known)
    if place == "last_build":
        places.engine.build("FROM scratch\nLABEL a=b\n", tag=known, context=Context.files({}))
    for form in PLAIN:
        try:
            found = PLACES[place](places, form) == places.id
        except DockerlabError:
            found = False
        assert found == (FORMS[form][1] == known), form
        if place == "removed" and found:
            places.engine.load(places.archive)


def test_an_id_and_its_first_digits_are_known_everywhere(tmp_path: Path) -> None:
    """An image is found by its ID, with and without sha256:, and by the ID's first digits."""
    places = Places(tmp_path, "box:1")
    for asked in (places.id, places.id[7:], places.id[:19], places.id[7:19], places.id[7:11]):
        for place in ("store", "docker_archive", "oci_layout", "oci_archive", "saved"):
            assert PLACES[place](places, asked) == places.id, (place, asked)


@pytest.mark.parametrize("asked", ["docker.io/box:1", "index.docker.io/library/box:1"])
def test_commands_know_the_full_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `history` finds in the store, `explore --reference` finds in an archive."""
    places = Places(tmp_path, "box:1")
    monkeypatch.setattr(engines, "choose", lambda name=None: (places.engine, "It was passed in."))
    assert main(["history", asked]) == 0
    assert main(["explore", str(places.archive), "--reference", asked, "--no-pager"]) == 0
    assert main(["ledger", asked, "--no-pager"]) == 0
    assert capsys.readouterr().err == ""


def test_names_of_stand_ins_are_tags() -> None:
    """A stand-in's name is a reference whatever it stands in for, and no two long ones share it."""
    assert stand_in_name("docker.io/library/debian:trixie-slim") == "dockerlab/stand-in:debian-trixie-slim"
    for form in FORMS:
        name = stand_in_name(form)
        assert Reference.parse(name).familiar == name
    assert stand_in_name("a" * 150 + ":1") != stand_in_name("a" * 150 + ":2")
