"""A daemon's Unix socket, served on a TCP port."""

from __future__ import annotations

import os
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest


def socket_path() -> str:
    """Return the path of the daemon's Unix socket; a test that needs one is skipped where there is none."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        pytest.skip(f"needs a daemon with a Unix socket, DOCKER_HOST is {host}")
    return host.removeprefix("unix://")


class _Forward(socketserver.BaseRequestHandler):
    """One connection, passed on to the daemon's socket."""

    server: Forwarder

    def handle(self) -> None:
        """Copy both ways until both ends are done."""
        near = (
            self.request
            if self.server.tls is None
            else self.server.tls.wrap_socket(self.request, server_side=True)
        )
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(self.server.path)
            if self.server.upgrade:
                far.sendall(self.server.upgrade)
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    answer += far.recv(1)
            back = threading.Thread(target=_copy, args=(far, near))
            back.start()
            _copy(near, far)
            back.join()


class Forwarder(socketserver.ThreadingTCPServer):
    """A TCP port of the loopback that is the daemon's Unix socket, with TLS where it is given.

    `upgrade` is a request that is made first, for a connection that then speaks another protocol.
    """

    def __init__(self, path: str, *, tls: ssl.SSLContext | None = None, upgrade: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.path, self.tls, self.upgrade = path, tls, upgrade

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve for the block; gives the port."""
        with self:
            threading.Thread(target=self.serve_forever, args=(0.05,)).start()
            yield int(self.server_address[1])
            self.shutdown()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
