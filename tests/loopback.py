"""Servers on loopback, which a Docker daemon with a network of its own finds at the same port."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CLONE_NEWNET = 0x40000000


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server that listens at a port of 127.0.0.1, here and in the daemon's network."""
    with ExitStack() as ended:
        for prefix in {(), beside_daemon()}:
            server = subprocess.Popen(
                [*prefix, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            ended.callback(server.wait)
            ended.callback(server.terminate)
            deadline = time.monotonic() + 20
            while not _listens(server.pid, port):
                assert server.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
        yield


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer HTTP, here and in the daemon's network; yields the URL."""
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


def beside_daemon(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return what to put before a command that is to run in the daemon's network."""
    network = _network_of_daemon(environment)
    return ("nsenter", f"--net={network}") if network else ()


def _listens(pid: int, port: int) -> bool:
    """Tell whether somebody listens at a port of 127.0.0.1 in the network of a process."""
    wanted = f"0100007F:{port:04X}"
    try:
        rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    except OSError:
        return False
    return any(row[1] == wanted and row[3] == "0A" for row in rows)


def _network_of_daemon(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the network namespace of the daemon behind a unix DOCKER_HOST, or None if it is ours."""
    scheme, _, path = environment.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
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
