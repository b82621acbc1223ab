"""Debian packages fetched with the host's own apt-get, which needs no root when every path is ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dockerlab.errors import RegistryError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What the official image is made of: debootstrap's "minbase", which is these by apt's search patterns.
_MINBASE = ("?essential", "?priority(required)", "apt", "debian-archive-keyring")
_SUITES = {
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
}
_KEPT_SETTINGS = re.compile(r"Acquire::(https?::|Check-|Retries|ForceIPv)", re.IGNORECASE)
_APT_SECONDS = 600.0
_PATIENCE = {"Retries": "1", "http::Timeout": "10", "https::Timeout": "10"}  # seconds without a byte
_NEXT = (
    "Check the network, or set DOCKERLAB_DEBIAN_MIRROR to a Debian mirror's address (it ends in /debian), "
    "or `dockerlab load` an archive of the image."
)


@dataclass(frozen=True)
class Mirrors:
    """Where Debian packages come from; `security` is None where only the main archive is known.

    `guessed`: the security archive's address was made from the main one's, and need not exist.
    """

    main: str
    security: str | None
    guessed: bool = False

    def sources(self, suite: str, *, keyring: str) -> str:
        """Return a deb822 sources file for `suite`, its updates and its security archive."""
        stanza = "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {}\n"
        text = stanza.format(self.main, f"{suite} {suite}-updates", keyring)
        if self.security:
            text += "\n" + stanza.format(self.security, f"{suite}-security", keyring)
        return text


def mirrors(etc: Path = Path("/etc/apt")) -> Mirrors | None:
    """Return the Debian mirrors: $DOCKERLAB_DEBIAN_MIRROR, else those of the host's own apt, else None."""
    chosen = os.environ.get("DOCKERLAB_DEBIAN_MIRROR", "").strip().rstrip("/")
    if chosen:
        beside = f"{chosen}-security" if chosen.endswith("/debian") else None
        return Mirrors(chosen, beside, guessed=beside is not None)
    main = security = None
    for uri, suite in _listed(etc):
        name, _, pocket = suite.replace("/", "-", 1).partition("-")
        if name not in _SUITES:
            continue
        if pocket in ("security", "updates") and "security" in uri:
            security = security or uri
        elif pocket in ("", "updates"):
            main = main or uri
    return Mirrors(main, security) if main else None


def _listed(etc: Path) -> Iterator[tuple[str, str]]:
    """Yield (URI, suite) of every enabled binary source (sources.list(5), both formats)."""
    parts = etc / "sources.list.d"
    for path in [etc / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        for uris, suites in _stanzas(text) if path.suffix == ".sources" else _lines(text):
            for uri in uris:
                plain = _plain(uri)
                if plain:
                    yield from ((plain, suite.strip("/")) for suite in suites)


def _lines(text: str) -> Iterator[tuple[list[str], list[str]]]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)", line)
        if found:
            yield [found[1]], [found[2]]


def _stanzas(text: str) -> Iterator[tuple[list[str], list[str]]]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false")
        if enabled and "deb" in fields.get("types", "").split():
            yield fields.get("uris", "").split(), fields.get("suites", "").split()


def _plain(uri: str) -> str | None:
    """Return an http or https address; cloud images name theirs in a file (apt-transport-mirror(1))."""
    if uri.startswith("mirror+file:"):
        path = Path(re.sub(r"^mirror\+file:/*", "/", uri))
        lines = path.read_text(errors="replace").split("\n") if path.is_file() else []
        uri = next((line.split()[0] for line in lines if line.startswith("http")), "")
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) else None


class Say(Protocol):
    """Hears in words what is being done, and how many packages of how many it is done with."""

    def __call__(self, text: str, *, done: int = 0, total: int = 0) -> None:
        """Hear it."""


class Apt:
    """The host's apt-get with a configuration, lists and a package cache below one folder of ours."""

    def __init__(self, home: Path, suite: str, found: Mirrors) -> None:
        self._home = home
        self._suite = suite
        self.mirrors = found
        for program in ("apt-get", "dpkg-deb", "dpkg"):
            if shutil.which(program) is None:
                raise RegistryError(
                    f"This machine has no {program}, which unpacks Debian packages.",
                    hint="Install apt and dpkg, or make a base image available by `dockerlab load`.",
                )
        if not KEYRING.is_file():
            raise RegistryError(
                f"The keys of the Debian archive are missing ({KEYRING}).",
                hint="Install the package debian-archive-keyring.",
            )
        self.architecture = self._output(["dpkg", "--print-architecture"]).strip()

    def fetch(self, say: Say, *, packages: Sequence[str] = _MINBASE) -> list[Path]:
        """Download packages and what they depend on; return the .deb files. `say` hears what is done.

        The default is a minimal system.
        """
        self._configure()
        say(f"reading Debian's package lists ({self._suite})")
        try:
            self._apt("update")
        except RegistryError:
            if not self.mirrors.guessed:
                raise
            self.mirrors = Mirrors(self.mirrors.main, None)
            self._configure()
            self._apt("update")
        # Inst NAME (VERSION ORIGIN [ARCHITECTURE]); in apt's cache the colon of an epoch is written %3a.
        chosen = re.findall(
            r"(?m)^Inst (\S+) \((\S+) .*\[(\w+)\]\)", self._apt("install", "--simulate", *packages)
        )
        names = [f"{name}_{version.replace(':', '%3a')}_{machine}.deb" for name, version, machine in chosen]
        # Each line: 'URI' FILE SIZE HASH
        uris = self._apt("install", "--print-uris", "-qq", *packages).splitlines()
        sizes = {line.split()[1]: int(line.split()[2]) for line in uris if line.startswith("'")}
        archives = self._home / "archives"
        missing = sum(size for name, size in sizes.items() if not (archives / name).is_file())
        if missing:
            say(f"downloading {len(names)} Debian packages ({missing / 1e6:.1f} MB)")
        self._apt("install", "--download-only", "-qq", *packages)
        return [archives / name for name in sorted(names)]

    def _configure(self) -> None:
        for folder in ("parts", "sources", "lists/partial", "archives/partial"):
            (self._home / folder).mkdir(parents=True, exist_ok=True)
        (self._home / "status").write_text("")
        (self._home / "sources" / "debian.sources").write_text(
            self.mirrors.sources(self._suite, keyring=str(KEYRING))
        )
        settings = {
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": f"{self._home}/parts",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": f"{self._home}/sources",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": f"{self._home}/parts",
            "Dir::State": str(self._home),
            "Dir::State::lists": f"{self._home}/lists",
            "Dir::State::status": f"{self._home}/status",
            "Dir::State::extended_states": f"{self._home}/extended_states",
            "Dir::Cache": str(self._home),
            "Dir::Cache::archives": f"{self._home}/archives",
            "Dir::Log": str(self._home),
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Install-Recommends": "false",
            # Else apt as root downloads as the user _apt, which cannot write to a private folder.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        lines = [f'{key} "{value}";' for key, value in settings.items()]
        # Proxies and the like are the host's.
        host = self._output(["apt-config", "dump"]).splitlines()
        lines += [line for line in host if _KEPT_SETTINGS.match(line)]
        # After the host's, so that these count: a mirror that is away is told of soon.
        lines += [f'Acquire::{kind} "{value}";' for kind, value in _PATIENCE.items()]
        (self._home / "apt.conf").write_text("\n".join(lines) + "\n")

    def _apt(self, *arguments: str) -> str:
        command = ["apt-get", "-y", "-o", "APT::Update::Error-Mode=any", *arguments]
        try:
            return self._output(command, {"APT_CONFIG": str(self._home / "apt.conf")})
        except RegistryError as error:
            raise RegistryError(
                f"Debian packages could not be had from {self.mirrors.main}: {error.message}", hint=_NEXT
            ) from error

    def _output(self, command: list[str], env: dict[str, str] | None = None) -> str:
        try:
            done = subprocess.run(
                command,
                env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **(env or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_APT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RegistryError(f"{command[0]} took more than {_APT_SECONDS:g} s.", hint=_NEXT) from error
        if done.returncode:
            said = [
                line for line in done.stderr.splitlines() if line.startswith("E:")
            ] or done.stderr.splitlines()
            raise RegistryError(f"{command[0]} failed: {' '.join(said[:1])}", hint=_NEXT)
        return done.stdout
