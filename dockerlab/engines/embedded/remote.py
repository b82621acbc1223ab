"""ADD from a URL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from dockerlab.engines import Note, OnEvent
from dockerlab.errors import BuildError
from dockerlab.filesystem import Entry

UNNAMED = "__unnamed__"  # what BuildKit calls the file of a URL that ends in /
TIMEOUT = (5, 60)  # seconds to connect, and to wait for the next bytes


@dataclass(frozen=True)
class Fetched:
    """A downloaded file: mode 0600, its date the server's Last-Modified (Dockerfile reference, ADD)."""

    entry: Entry
    content: bytes


def is_url(word: str) -> bool:
    """Tell whether ADD downloads `word`."""
    return word.startswith(("http://", "https://"))


def is_git(word: str) -> bool:
    """Tell whether ADD would clone `word`."""
    return bool(re.match(r"(git@|git://|ssh://)|https?://[^#?]+\.git(#.*)?$", word))


def download(url: str, *, checksum: str | None, on_event: OnEvent) -> Fetched:
    """Fetch `url`; `checksum` is "sha256:..." that the content must have."""
    import requests

    on_event(Note(f"Downloading {url}"))
    try:
        answer = requests.get(url, timeout=TIMEOUT)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise BuildError(
            f"{url} could not be downloaded: {error}",
            hint="Check the address and the network, then build again.",
        ) from error
    content = answer.content
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if checksum is not None and digest != checksum:
        raise BuildError(
            f"{url} has the digest {digest}, not {checksum}", hint="Check the file, then correct --checksum."
        )
    changed = answer.headers.get("Last-Modified")
    when = int(parsedate_to_datetime(changed).timestamp()) if changed else 0
    name = unquote(urlsplit(url).path).rpartition("/")[2] or UNNAMED
    return Fetched(Entry(name, "file", 0o600, mtime=when, size=len(content)), content)
