"""Descriptors of images in the store's index.json: their annotations, and one name for one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dockerlab.errors import DockerlabError, ImageError
from dockerlab.image import oci

IMAGE_ID = "dev.dockerlab.id"


def notes_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return a descriptor's annotations."""
    found: dict[str, str] = item.get("annotations") or {}
    return found


def damaged(descriptor: Mapping[str, Any], error: DockerlabError) -> ImageError:
    """Return the error for an image in index.json whose manifest or config cannot be read."""
    name = (
        notes_of(descriptor).get(oci.REF_NAME) or notes_of(descriptor).get(IMAGE_ID) or descriptor["digest"]
    )
    return ImageError(
        f"The image {name} is damaged: {error.message}",
        hint=f"`dockerlab rm {name}`, `dockerlab prune`, then build, pull or load it again.",
    )


def with_descriptor(new: dict[str, Any], manifests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the descriptors with one more, which takes its name over; nameless ones only where needed."""
    taken = notes_of(new).get(oci.REF_NAME)
    found = [nameless(item) if notes_of(item).get(oci.REF_NAME) == taken else item for item in manifests]
    named = [item for item in [*found, new] if oci.REF_NAME in notes_of(item)]
    unnamed = {item["digest"]: item for item in [*found, new] if oci.REF_NAME not in notes_of(item)}
    for item in named:
        unnamed.pop(item["digest"], None)
    return [*unnamed.values(), *named]


def nameless(descriptor: dict[str, Any]) -> dict[str, Any]:
    """Return a descriptor without its name; by its ID the image is found still."""
    return {**descriptor, "annotations": {IMAGE_ID: notes_of(descriptor)[IMAGE_ID]}}
