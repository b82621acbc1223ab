"""One connection to a registry: logins, refusals and silence, said plainly."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from dockerlab.errors import RegistryError
from dockerlab.image.reference import DOCKER_HUB, Reference
from dockerlab.registries import credentials

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
TRIES = 3  # for a line that drops; what was received is kept
WAIT_SECONDS = 10.0  # what a busy registry may ask us to wait; more is said, not waited for
_MOST_TOKEN = 1 << 20  # bytes; a token is a few kB
REMEMBER_SECONDS = 600.0  # a registry that did not answer is not asked again for this long
_OFFLINE = (
    "Check the network, or set DOCKERLAB_REGISTRY_MIRROR to a mirror that can be reached, "
    "or `dockerlab load` an archive."
)

_silent: dict[str, tuple[float, str]] = {}


def forget_silent_registries() -> None:
    """Ask registries again that did not answer a while ago."""
    _silent.clear()


DOCKER_HUB_SERVER = "registry-1.docker.io"  # what answers for docker.io


def address(reference: Reference) -> str:
    """Return where the registry of a reference answers, as a URL."""
    server = DOCKER_HUB_SERVER if reference.registry == DOCKER_HUB else reference.registry
    return scheme(server) + server


def scheme(server: str) -> str:
    """Return "http://" for this machine's own registries, "https://" for all others."""
    name = server.partition("/")[0]
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return "http://" if name in ("localhost", "::1") or name.startswith("127.") else "https://"


class _Bearer(AuthBase):
    """Sends a token; unlike a bare header it keeps requests from putting ~/.netrc in its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Connection:
    """Requests about one repository. requests drops Authorization when a redirect leaves the host."""

    def __init__(
        self, reference: Reference, base: str, *, purpose: Literal["pulled", "pushed"] = "pulled"
    ) -> None:
        self.reference = reference
        self._purpose = purpose
        self.server = urlsplit(base).netloc
        self.base = f"{base}/v2/{reference.repository}"
        self._registry = DOCKER_HUB if self.server == DOCKER_HUB_SERVER else self.server
        self._session = requests.Session()
        self._auth: AuthBase = _Bearer(None)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(
        self, path: str, headers: Mapping[str, str], *, allowed: Sequence[int] = (200,)
    ) -> requests.Response:
        """GET a path of the repository, logging in when asked to; the body is not read yet.

        Raises RegistryError for a status that is not `allowed`, requests' errors for a line that drops.
        """
        return self.ask("GET", self.base + path, headers, allowed=allowed)

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        allowed: Sequence[int],
        body: bytes | BinaryIO | None = None,
    ) -> requests.Response:
        """Send any request to a whole URL, as `get` does; a body that is a file is read from its start."""
        answer = self._send(url, headers, method=method, body=body)
        if answer.status_code == 401:
            answer.close()
            self._authenticate(answer.headers.get("WWW-Authenticate", ""))
            answer = self._send(url, headers, method=method, body=body)
        for _ in range(TRIES - 1):
            wait = _asked_to_wait(answer)
            if wait is None or wait > WAIT_SECONDS:
                break
            answer.close()
            time.sleep(wait)
            answer = self._send(url, headers, method=method, body=body)
        if answer.status_code not in allowed:
            answer.close()
            raise self._refused(answer)
        return answer

    def _send(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
        body: bytes | BinaryIO | None = None,
        auth: AuthBase | None = None,
        params: Mapping[str, str] | None = None,
    ) -> requests.Response:
        server = urlsplit(url).netloc
        since, why = _silent.get(server, (0.0, ""))
        if why and time.monotonic() - since < REMEMBER_SECONDS:
            raise self.failed(why, _OFFLINE, server)
        if body is not None and not isinstance(body, bytes):
            body.seek(0)
        try:
            return self._session.request(
                method,
                url,
                data=body,
                headers=dict(headers),
                params=params,
                auth=auth or self._auth,
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        except requests.TooManyRedirects as error:
            raise self.failed(
                "sends the request round in a circle",
                "Try again later, or set DOCKERLAB_REGISTRY_MIRROR.",
                server,
            ) from error
        except ValueError as error:
            raise self.invalid_answer(f"an address that is none ({error})") from error
        except requests.ConnectionError as error:
            why, hint, silent = _unreachable(error)
            if silent:
                _silent[server] = (time.monotonic(), why)
            if not why:
                raise
            raise self.failed(why, hint, server) from error

    def _authenticate(self, challenge: str) -> None:
        """Answer a 401 (distribution specification, "token authentication"; or Basic)."""
        kind, _, rest = challenge.partition(" ")
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        known = credentials.login(self._registry)
        basic = HTTPBasicAuth(known.user.encode(), known.password.encode()) if known else None
        if kind.lower() == "basic":
            if basic is None:
                raise self.failed(
                    "wants a user name and password", f"Run `docker login {self._registry}` and try again."
                )
            self._auth = basic
            return
        try:
            realm = urlsplit(asked.get("realm", ""))
        except ValueError as error:
            raise self.invalid_answer(f"an address that is none ({error})") from error
        plain = realm.scheme == "http" and scheme(realm.netloc) == "https://"
        if kind.lower() != "bearer" or realm.scheme not in ("http", "https") or (plain and basic):
            raise self.failed(
                f"asks for a kind of login that is not known: {challenge!r}", "Pull it with Docker."
            )
        params = {
            "service": asked.get("service", ""),
            "scope": f"repository:{self.reference.repository}:pull{',push' * (self._purpose == 'pushed')}",
        }
        answer = self._send(realm.geturl(), {}, auth=basic or _Bearer(None), params=params)
        with answer:
            if answer.status_code != 200:
                raise self._refused(answer, login=known is not None)
            data = bytearray()
            for chunk in answer.iter_content(1 << 16):
                data += chunk
                if len(data) > _MOST_TOKEN:
                    raise self.invalid_answer("a token without an end")
            try:
                given = json.loads(data)
                token = given.get("token") or given.get("access_token")
            except (ValueError, AttributeError):
                token = None
            if not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise self.invalid_answer("no token")
            self._auth = _Bearer(token)

    def failed(self, what: str, hint: str, server: str | None = None) -> RegistryError:
        """Return the error that says what the registry did."""
        who = server or self.server
        return RegistryError(f"{self.reference} could not be {self._purpose}: {who} {what}.", hint=hint)

    def invalid_answer(self, what: str) -> RegistryError:
        """Return the error for a registry that sent the wrong thing."""
        return self.failed(
            f"sent {what}",
            "Nothing of it was kept. Try again, or set DOCKERLAB_REGISTRY_MIRROR to another registry.",
        )

    def broke(self, error: requests.RequestException) -> RegistryError:
        """Return the error for a line that dropped too often."""
        return self.failed(
            f"dropped the connection {TRIES} times ({type(error).__name__})",
            "Try again: what was received is kept.",
        )

    def _refused(self, answer: requests.Response, *, login: bool = False) -> RegistryError:
        status = answer.status_code
        wait = _asked_to_wait(answer)
        told = "" if wait is None else f" and says to wait {wait:.0f} s"
        if status == 429:
            return self.failed(
                f"limits how often images may be pulled from this address (429){told}",
                f"Wait, or `docker login {self._registry}`, or set DOCKERLAB_REGISTRY_MIRROR.",
            )
        if status in (401, 403, 404):
            if login:
                return self.failed(
                    f"does not take the login in Docker's config.json ({status})",
                    f"Run `docker login {self._registry}` again.",
                )
            return self.failed(
                f"has no such image, or it is private ({status})",
                f"Check the name and the tag; for a private image run `docker login {self._registry}`.",
            )
        return self.failed(f"answered {status} {answer.reason}{told}", "Try again in a few minutes.")


def _asked_to_wait(answer: requests.Response) -> float | None:
    """Return the seconds that a busy registry asks us to wait (RFC 9110, Retry-After); None: it does not."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if answer.status_code in (429, 503) and re.fullmatch("[0-9]{1,6}", text) else None


def _unreachable(error: requests.ConnectionError) -> tuple[str, str, bool]:
    """Say why there was no connection ("": it broke later), what to do, and whether to remember it."""
    if isinstance(error, requests.exceptions.ProxyError):
        return "cannot be reached through the proxy that is set", "Check HTTPS_PROXY and NO_PROXY.", True
    if isinstance(error, requests.ConnectTimeout):
        return f"did not answer within {CONNECT_SECONDS:g} s", _OFFLINE, True
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "cannot be found (no DNS, or no network)", _OFFLINE, True
        if isinstance(cause, ConnectionRefusedError):
            return "refused the connection", _OFFLINE, True
        if isinstance(cause, ssl.SSLError):
            return (
                "has a certificate that is not trusted here",
                "Set REQUESTS_CA_BUNDLE to a file with your network's certificates.",
                True,
            )
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException | ConnectionError):
            return f"cannot be reached ({cause.strerror or cause})", _OFFLINE, True
    return "", "", False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what is behind it; urllib3 keeps causes in `reason` and in its arguments."""
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            todo += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
