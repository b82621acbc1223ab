"""The Docker that is compared with: where it listens, how old it is, and a web server that it can reach."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest

Docker = Literal["28.5", "26.1"]
MODERN = "MODERN_DOCKER_OVERLAY2"
CLONE_NEWNET = 0x40000000


def address(oracle: str) -> str | None:
    """Return the DOCKER_HOST of an --oracle, or None to leave it as it is; raises UsageError."""
    if oracle == "installed":
        return None
    if MODERN not in os.environ:
        raise pytest.UsageError(
            f"The suite compares with the Docker that people have today, and ${MODERN} does not say where "
            "that is: run tools/modern_docker.sh up, export what it prints, or choose --oracle=installed."
        )
    return os.environ[MODERN]


def column(version: str) -> Docker:
    """Return which column of the known differences a Docker of this version is held to."""
    return "28.5" if int(version.partition(".")[0]) >= 28 else "26.1"


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on loopback, and at the same port of the daemon's where it has one of its own; yields the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as here:
        place = ("127.0.0.1", int(here.server_address[1]))
        with ThreadingHTTPServer(place, handler, bind_and_activate=False) as there:
            servers = [here]
            if (network := _network_of_daemon()) is not None:
                there.socket.close()
                there.socket = _listening(network, place)
                servers.append(there)
            threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
            for thread in threads:
                thread.start()
            yield f"http://{place[0]}:{place[1]}"
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()


def _network_of_daemon() -> Path | None:
    """Return the network namespace of the daemon behind a unix DOCKER_HOST, or None if it is ours."""
    scheme, _, path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    if scheme != "unix":
        return None
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(path)
        except OSError:
            return None  # no daemon answers: the tests that need it say so
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    theirs = Path(f"/proc/{pid}/ns/net")
    try:
        return None if theirs.samefile("/proc/self/ns/net") else theirs
    except OSError:  # another user's: a system daemon, which has the host's network
        return None


def _listening(network: Path, place: tuple[str, int]) -> socket.socket:
    """Return a socket that listens in another network namespace: a thread goes there, opens it and ends."""
    opened: list[socket.socket] = []

    def listen() -> None:
        with network.open("rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        opened.append(socket.create_server(place))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert opened, f"no socket could be opened in {network}"
    return opened[0]
