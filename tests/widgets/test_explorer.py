from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.errors import ImageError
from dockerlab.image.image import Image
from dockerlab.widgets import explorer_model as module
from dockerlab.widgets.explorer import Explorer, _Card
from dockerlab.widgets.explorer_model import NOTHING, PAGE
from tests.tiny_images import stack


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test see what another chose."""
    module._states.clear()


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """A base and two layers; the second holds a folder longer than a page."""
    many = {f"srv/many/f{i:03}": 10 for i in range(250)}
    return stack(
        tmp_path,
        [
            {"etc": "dir", "etc/motd": b"hello\n"},
            {"srv": "dir", "srv/many": "dir", **many, "srv/big": 9000, "etc/motd": b"hello <b>\n"},
            {"srv/big": None},
        ],
        base=1,
    )


@pytest.fixture
def card(image: Image) -> _Card:
    """The explorer's widget."""
    return _Card(Explorer(image))


def labels(card: _Card) -> list[str]:
    """Return the lines of the list as they read, single spaces."""
    return [" ".join(label.split()) for label, _ in card.list.options]


def choose(card: _Card, text: str) -> None:
    """Move to the first line that holds `text`, as the arrow keys do."""
    card.list.index = next(i for i, label in enumerate(labels(card)) if text in label)


def test_it_opens_where_the_bytes_are(card: _Card) -> None:
    """First seen is the own layer with most bytes, its largest change in view."""
    assert card.layer.value == 2
    assert labels(card) == [
        "11.5 kB + ▾ srv/",
        "9.00 kB + big",
        "2.50 kB + ▸ many/",
        "10 B -6 B ▸ etc/",
    ]
    assert "/srv/big, added, as of layer 2. No text: 9.00 kB" in card.pane.value
    assert card.said.value.count("added 253 paths (11.5 kB), changed 1 path (10 B)") == 1


def test_folders_open_page_by_page(card: _Card) -> None:
    """A long folder is listed a page at a time, and closes again."""
    choose(card, "many/")
    card.button.click()
    assert len(labels(card)) == 4 + PAGE + 1
    assert labels(card)[-2] == "… 150 more: open this line"
    choose(card, "more: open")
    assert card.button.description == "More"
    card.button.click()
    assert len(labels(card)) == 4 + 2 * PAGE + 1
    choose(card, "many/")
    assert card.button.description == "Close"
    card.button.click()
    assert len(labels(card)) == 4


def test_files_are_read_as_of_the_layer(card: _Card) -> None:
    """The text of a file is that of the chosen layer, escaped; what is removed shows as it was before."""
    card.find.value = "motd"
    assert "hello &lt;b&gt;" in card.pane.value
    card.layer.value = 1
    assert "<pre" in card.pane.value
    assert "&lt;b&gt;" not in card.pane.value
    card.find.value = ""
    card.layer.value = 3
    choose(card, "big")
    assert "removed; as it was before" in card.pane.value


def test_find_and_sort(card: _Card) -> None:
    """A glob finds names in every folder; the order is by bytes or by name."""
    card.find.value = "f24*"
    assert labels(card) == [f"10 B + srv/many/f{i}" for i in range(240, 250)]
    card.find.value = "nowhere"
    assert labels(card) == []
    assert card.pane.value == "Nothing found."
    assert card.button.disabled
    card.find.value = ""
    card.order.value = "name"
    assert [label.split()[-1] for label in labels(card)][:2] == ["etc/", "srv/"]


def test_layers_and_images_are_compared(tmp_path: Path, image: Image) -> None:
    """A layer can be set against another layer, against nothing, and against another image."""
    (tmp_path / "other").mkdir()
    other = stack(tmp_path / "other", [{"etc": "dir", "etc/motd": b"HELLO\n", "new": 5}], name="other:latest")
    card = _Card(Explorer(image, other))
    card.layer.value = 3
    card.against.value = "1"
    assert "As of layer 3, compared with layer 1" in card.said.value
    assert "added 252 paths (2.50 kB), changed 1 path (10 B)." in card.said.value
    card.against.value = NOTHING
    assert "added 254 paths" in card.said.value
    card.against.value = "image 1"
    assert "removed 1 path (5 B)" in card.said.value
    assert "image other:latest" in card.said.value


def test_the_state_survives_its_cell(image: Image, card: _Card) -> None:
    """An explorer of the same image, made anew, is where the last one was."""
    choose(card, "many/")
    card.button.click()
    card.order.value = "name"
    choose(card, "f007")
    again = _Card(Explorer(image))
    assert labels(again) == labels(card)
    assert again.list.index == card.list.index
    assert again.order.value == "name"


def test_without_a_front_end_it_is_a_table(image: Image) -> None:
    """Elsewhere each layer is a row, and no random id gets into a saved notebook."""
    bundle = Explorer(image)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle == Explorer(image)._repr_mimebundle_()
    lines = bundle["text/plain"].splitlines()
    assert lines[0] == "stack:latest: 3 layers, 11.5 kB unpacked"
    assert "/srv/big" in lines[4]
    assert len(bundle["text/html"]) < 5000


def test_what_differs_between_images_is_a_table_too(tmp_path: Path, image: Image) -> None:
    """The largest differences are listed with both sizes, and how many there are in all."""
    (tmp_path / "other").mkdir()
    other = stack(tmp_path / "other", [{"etc": "dir", "etc/motd": b"hello <b>\n"}], name="other:latest")
    text = repr(Explorer(image, other))
    assert "stack:latest compared with other:latest: added 252 (2.50 kB), changed , removed" in text
    assert "The largest 12 of 252." in text


def test_an_image_without_layers_is_refused(tmp_path: Path) -> None:
    """There is nothing to explore in one."""
    with pytest.raises(ImageError, match="no layers"):
        Explorer(stack(tmp_path, []))
