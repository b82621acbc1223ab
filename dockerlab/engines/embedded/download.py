"""ADD from a URL."""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from dockerlab.engines.embedded.store.durable import plain_errors
from dockerlab.engines.results import Note, OnEvent
from dockerlab.errors import BuildError
from dockerlab.image.compression import window
from dockerlab.image.filesystem import Entry

UNNAMED = "__unnamed__"  # what BuildKit calls the file of a URL that ends in /
TIMEOUT = (5, 60)  # seconds to connect, and to wait for the next bytes
MOST = 4 << 30  # bytes; a server that never stops sending must not fill the disk


class DownloadedFile:
    """What was downloaded, in a file without a name: it is gone when nobody needs it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this object
        weakref.finalize(self, self.file.close)

    def open(self, entry: Entry) -> BinaryIO:
        """Return a stream over the content, by a position of its own: others read the file as well."""
        return window(Path(f"/proc/self/fd/{self.file.fileno()}"), 0, entry.size)


@dataclass(frozen=True)
class Fetched:
    """A downloaded file: mode 0600, its date the server's Last-Modified (Dockerfile reference, ADD)."""

    entry: Entry
    content: DownloadedFile


def download(url: str, *, checksum: str | None, on_event: OnEvent) -> Fetched:
    """Fetch `url`; `checksum` is "sha256:..." that the content must have.

    Raises BuildError for what cannot be had, is not what it should be or is too long, and StoreError when
    there is no room for it.
    """
    from email.utils import parsedate_to_datetime

    import requests

    on_event(Note(f"Downloading {url}"))
    kept, sha, size = DownloadedFile(), hashlib.sha256(), 0
    try:
        with requests.get(url, timeout=TIMEOUT, stream=True) as answer:
            answer.raise_for_status()
            changed = answer.headers.get("Last-Modified")
            for chunk in answer.iter_content(1 << 16):
                size += len(chunk)
                if size > MOST:
                    raise BuildError(
                        f"{url} sends more than {MOST:,} bytes", hint="Download it, and use COPY instead."
                    )
                sha.update(chunk)
                with plain_errors(Path(tempfile.gettempdir()), "downloaded file"):
                    kept.file.write(chunk)
        kept.file.flush()
    except requests.RequestException as error:
        raise BuildError(
            f"{url} could not be downloaded: {error}",
            hint="Check the address and the network, then build again.",
        ) from error
    digest = f"sha256:{sha.hexdigest()}"
    if checksum is not None and digest != checksum:
        raise BuildError(
            f"{url} has the digest {digest}, not {checksum}", hint="Check the file, then correct --checksum."
        )
    when = int(parsedate_to_datetime(changed).timestamp()) if changed else 0
    name = unquote(urlsplit(url).path).rpartition("/")[2] or UNNAMED
    return Fetched(Entry(name, "file", 0o600, mtime=when, size=size), kept)
