"""A stand-in for Debian's slim image: packages unpacked, configured in the sandbox, squashed to one layer.

The same packages, dpkg and apt settings and exclusions as the official image; no root and no namespaces are
needed where the sandbox needs none.
"""

from __future__ import annotations

import io
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from dockerlab.dockerfile.scope import DEFAULT_PATH
from dockerlab.engines.embedded.bases.debian import Apt, Mirrors, Say
from dockerlab.engines.embedded.bases.trust import FOLDER, own_certificates
from dockerlab.engines.embedded.sandbox.contract import Command, Mount, Sandbox
from dockerlab.engines.embedded.store import durable
from dockerlab.engines.embedded.store.store import Store
from dockerlab.errors import BuildError
from dockerlab.image import oci
from dockerlab.image.filesystem import Contents, Entry, Tree
from dockerlab.image.image import BlobLayer, Image, Layer
from dockerlab.image.platform import here
from dockerlab.image.tar_writer import LayerWriter, in_order

_PACKAGES = "/run/packages"  # where the .debs are seen in the sandbox
_SECONDS = 1800.0  # proot on one slow core takes minutes

# What docker images of Debian have on top of the packages; one line says why each is there.
_CLEAN = (
    "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"
)
_SETTINGS = {
    "etc/apt/apt.conf.d/docker-clean": (
        "// Downloaded packages are of no use in an image: remove them after every apt run.\n"
        f'DPkg::Post-Invoke {{ "{_CLEAN}"; }};\n'
        f'APT::Update::Post-Invoke {{ "{_CLEAN}"; }};\n'
        'Dir::Cache::pkgcache "";\n'
        'Dir::Cache::srcpkgcache "";\n'
    ),
    "etc/apt/apt.conf.d/docker-gzip-indexes": (
        "// Package lists stay compressed on disk.\n"
        'Acquire::GzipIndexes "true";\n'
        'Acquire::CompressionTypes::Order:: "gz";\n'
    ),
    "etc/apt/apt.conf.d/docker-no-languages": (
        '// Package descriptions in other languages are not fetched.\nAcquire::Languages "none";\n'
    ),
    "etc/apt/apt.conf.d/docker-autoremove-suggests": (
        '// autoremove also takes what is only suggested.\nApt::AutoRemove::SuggestsImportant "false";\n'
    ),
    "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": (
        "# A build that is cut short is thrown away, so dpkg need not sync every file.\nforce-unsafe-io\n"
    ),
}
_SLIM = {
    "etc/dpkg/dpkg.cfg.d/docker": (
        "# The slim image leaves out documentation and translations; copyright files stay.\n"
        "path-exclude /usr/share/doc/*\n"
        "path-include /usr/share/doc/*/copyright\n"
        + "".join(
            f"path-exclude /usr/share/{folder}/*\n"
            for folder in ("info", "linda/overrides", "lintian/overrides", "locale", "man")
        )
    ),
}
_POLICY = "#!/bin/sh\n# No service is started while an image is built.\nexit 101\n"
_LEFT_OUT = ("doc/", "info/", "linda/overrides/", "lintian/overrides/", "locale/", "man/")

# Left behind by the installation; none of it is in the official image.
_LEFTOVERS = (
    "etc/machine-id",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/hosts",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/.pwd.lock",
    "etc/subuid-",
    "etc/subgid-",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/available-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/triggers/Lock",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/passwords.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
)
_EMPTIED = ("dev/", "proc/", "sys/", "run/", "tmp/", "var/tmp/", "var/lib/apt/lists/", "var/cache/apt/")
_KEPT_FOLDERS = {
    "run/lock",
    "var/cache/apt/archives",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
}
_ALIASES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32")


def make(
    store: Store,
    sandbox: Sandbox,
    found: Mirrors,
    *,
    reference: str,
    name: str,
    suite: str,
    slim: bool,
    say: Say,
) -> Image:
    """Make the stand-in for `reference`, stored under `name`. `say` hears each step in words.

    Raises RegistryError when packages cannot be had and BuildError when they cannot be configured.
    """
    home = store.root / "downloads" / suite
    apt = Apt(home, suite, found)
    debs = apt.fetch(say)
    unpacked, newest = _unpacked(store, _told(debs, say), home, slim=slim)
    try:
        configured = _configured(store, sandbox, unpacked, home / "archives", debs, say=say)
        say("writing the layer")
        layer = _squashed(store, [unpacked, configured], apt.mirrors, suite=suite, newest=newest)
    finally:
        store.forget_layer(unpacked.diff_id)
    store.forget_layer(configured.diff_id)
    created = datetime.fromtimestamp(newest, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        **here().written(),
        "created": created,
        "config": {"Env": [f"PATH={DEFAULT_PATH}"], "Cmd": ["bash"], "Labels": {oci.STAND_IN: reference}},
        "history": [
            {
                "created": created,
                "created_by": f"# stand-in for {reference}, made of {len(debs)} Debian packages by dockerlab",
            }
        ],
    }
    made = store.put_image(config, [layer], reference=name, stand_in=reference)
    durable.remove_tree(home)  # the packages are of no use any more
    return made


def _unpacked(store: Store, debs: Iterable[Path], home: Path, *, slim: bool) -> tuple[Layer, int]:
    """Merge the packages' files into a layer, before dpkg knows of them; return it and the newest mtime."""
    owner: dict[str, tuple[Entry, Contents | bytes]] = {}
    newest = 0
    for number, deb in enumerate(debs):
        plain = home / f"unpacked.{number}.tar"
        with plain.open("wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=out, check=True)
        package = BlobLayer(plain, f"sha256:{deb.name}")
        for entry in package.entries:
            entry = _merged_usr(entry)
            newest = max(newest, entry.mtime)
            if entry.path and not (slim and _left_out(entry.path)) and not _is_known_folder(owner, entry):
                owner[entry.path] = (entry, package)
    files = {**_SETTINGS, **(_SLIM if slim else {})}
    for path, text in files.items():
        owner[path] = _file(path, text, newest)
    owner["usr/sbin/policy-rc.d"] = _file("usr/sbin/policy-rc.d", _POLICY, newest, mode=0o755)
    for path in ("var/lib/dpkg/status", "var/lib/dpkg/available"):
        owner[path] = _file(path, "", newest)
    # Scripts of packages that come before mawk in dpkg's order call awk.
    owner.setdefault("usr/bin/awk", (Entry("usr/bin/awk", "symlink", 0o777, mtime=newest, link="mawk"), b""))
    for path in list(owner):
        for parent in _parents(path):
            owner.setdefault(parent, (Entry(parent, "dir", 0o755, mtime=newest), b""))
    try:
        return _written(store, owner.values()), newest
    finally:
        for plain in home.glob("unpacked.*.tar"):
            plain.unlink()


def _file(path: str, text: str, mtime: int, *, mode: int = 0o644) -> tuple[Entry, bytes]:
    return Entry(path, "file", mode, mtime=mtime, size=len(text.encode())), text.encode()


def _merged_usr(entry: Entry) -> Entry:
    """Put what a package still ships in /bin or /lib where those links lead."""
    return replace(
        entry, path=_in_usr(entry.path), link=_in_usr(entry.link) if entry.kind == "hardlink" else entry.link
    )


def _in_usr(path: str) -> str:
    return f"usr/{path}" if "/" in path and path.partition("/")[0] in _ALIASES else path


def _is_known_folder(owner: dict[str, tuple[Entry, Contents | bytes]], entry: Entry) -> bool:
    """Tell whether a package only names a folder, or a link to one, that another has brought."""
    return entry.kind == "dir" and entry.path in owner and owner[entry.path][0].kind in ("dir", "symlink")


def _left_out(path: str) -> bool:
    return (
        path.startswith("usr/share/") and path[10:].startswith(_LEFT_OUT) and not path.endswith("/copyright")
    )


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _written(store: Store, files: Iterable[tuple[Entry, Contents | bytes]]) -> Layer:
    by_path = {entry.path: (entry, origin) for entry, origin in files}
    with store.new_layer() as out:
        writer = LayerWriter(out)
        for entry in _links_after_targets(in_order(entry for entry, _ in by_path.values())):
            origin = by_path[entry.path][1]
            content: BinaryIO | bytes | None = None
            if entry.kind == "file":
                content = origin if isinstance(origin, bytes) else origin.open(by_path[entry.path][0])
            writer.add(entry, content)
            if isinstance(content, io.IOBase):
                content.close()
        writer.close()
        return out.commit()


def _links_after_targets(entries: list[Entry]) -> Iterator[Entry]:
    """Yield the entries, each hard link after the file it names."""
    late = [entry for entry in entries if entry.kind == "hardlink" and entry.path < entry.link]
    held = {entry.path for entry in late}
    yield from (entry for entry in entries if entry.path not in held)
    yield from late


def _told(debs: Sequence[Path], say: Say) -> Iterator[Path]:
    """Yield the packages, and tell before each how many are unpacked."""
    for done, deb in enumerate(debs):
        say("unpacking packages", done=done, total=len(debs))
        yield deb


def _configured(
    store: Store, sandbox: Sandbox, unpacked: Layer, folder: Path, debs: Sequence[Path], *, say: Say
) -> Layer:
    """Let dpkg install the packages on top of their own files, as debootstrap does; return what that made."""
    names = [f"{_PACKAGES}/{deb.name}" for deb in debs]
    # --force-depends: all of them come at once, and they depend on one another.
    install = shlex.join(["dpkg", "--force-depends", "--install", *names])
    command = Command(
        ("/bin/sh", "-ec", install),
        {
            "PATH": DEFAULT_PATH,
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "DEBCONF_NONINTERACTIVE_SEEN": "true",
        },
        mounts=(Mount("bind", _PACKAGES, folder, read_only=True),),
        network=False,
    )
    output = bytearray()

    def heard(data: bytes) -> None:
        # dpkg says "Unpacking ..." of each package, then "Setting up ..." of each.
        before = output.count(b"Unpacking ") + output.count(b"Setting up ")
        output.extend(data)
        done = output.count(b"Unpacking ") + output.count(b"Setting up ")
        if done // 2 > before // 2:
            say(f"setting up packages in the {sandbox.name} sandbox", done=done // 2, total=len(debs))

    say(f"setting up packages in the {sandbox.name} sandbox", total=len(debs))
    with store.new_layer() as out:
        code = sandbox.run([unpacked], command, output=heard, layer=out, timeout=_SECONDS)
        if code:
            tail = "\n".join(f"    {line}" for line in output.decode("utf-8", "replace").splitlines()[-8:])
            raise BuildError(
                f"The packages of the stand-in could not be set up: dpkg ended with {code}.\n{tail}",
                hint="Try again; `dockerlab doctor` shows whether the sandbox works here.",
            )
        return out.commit()


def _squashed(store: Store, layers: Iterable[Layer], found: Mirrors, *, suite: str, newest: int) -> Layer:
    """Put the layers into one, without what the installation left; no time is later than `newest`."""
    tree = Tree.stacked((layer.entries, layer) for layer in layers)
    files: list[tuple[Entry, Contents | bytes]] = []
    for path in tree:
        if _is_leftover(path):
            continue
        node = tree.get(path)
        assert node is not None
        entry = replace(node.entry, mtime=min(node.entry.mtime, newest))
        if entry.path != path:  # a hard link, which the tree shows as the file it leads to
            target = tree.get(entry.path)
            same = target is not None and target.entry is node.entry
            entry = replace(entry, path=path, kind="hardlink", size=0, link=entry.path) if same else entry
        files.append((entry, node.origin))
    keyring = "usr/share/keyrings/debian-archive-keyring"
    keys = next((f"/{keyring}{end}" for end in (".pgp", ".gpg") if f"{keyring}{end}" in tree), "")
    sources = found.sources(suite, keyring=keys)
    files.append(_file("etc/apt/sources.list.d/debian.sources", sources, newest))
    certificates = own_certificates()
    if certificates:
        files.append((Entry(FOLDER, "dir", 0o755, mtime=newest), b""))
    for number, pem in enumerate(certificates, 1):
        # ca-certificates is not in this image: when it is installed it takes these in.
        files.append(_file(f"{FOLDER}/dockerlab-{number}.crt", pem.decode("ascii"), newest))
    return _written(store, files)


def _is_leftover(path: str) -> bool:
    if path in _KEPT_FOLDERS:
        return False
    log = path.startswith("var/log/") and path.endswith(".log")
    return log or path in _LEFTOVERS or path.startswith(_EMPTIED)
