"""The base images of the suite: a static busybox and some files, made here, the same for each engine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dockerlab.image.platform import here

REPOSITORY = "dockerlab/test-conformance-base"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WHEN = 1_500_000_000  # seconds: the modification time of everything in the bases
APPLETS = """
[ addgroup adduser ash awk basename cat chgrp chmod chown cp cut dd dirname du echo env false find grep
gzip head hostname id install ln ls mkdir mkfifo mknod mktemp mount mv nproc pwd readlink realpath rm rmdir
sed seq setpriv sh sleep sort stat su sync tail tar tee test touch tr true truncate uname wc whoami xargs
"""
PASSWD = """root:x:0:0:root:/root:/bin/sh
ann:x:1000:1000:Ann:/home/ann:/bin/sh
bob:x:1001:100:Bob:/home/bob:/bin/sh
homeless:x:1002:1002::/nowhere:/bin/sh
"""
GROUP = """root:x:0:
users:x:100:ann
ann:x:1000:
staff:x:50:ann,bob
"""
RICH: Mapping[str, Any] = {
    "User": "ann",
    "ExposedPorts": {"8080/tcp": {}},
    "Env": [f"PATH={PATH}", "FROM_BASE=yes", "SHARED=base"],
    "Entrypoint": ["/bin/echo", "base"],
    "Cmd": ["base-cmd"],
    "Volumes": {"/data": {}},
    "WorkingDir": "/srv/app",
    "Labels": {"who": "base", "kept": "yes"},
    "StopSignal": "SIGINT",
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000, "Retries": 2},
    "Shell": ["/bin/ash", "-c"],
    "OnBuild": ["RUN echo trigger > /home/ann/triggered", "ENV TRIGGERED=1"],
}


def busybox() -> Path | None:
    """Return this host's statically linked busybox, or None."""
    for name in ("/usr/bin/busybox", "/bin/busybox", "/bin/busybox.static"):
        path = Path(name)
        if path.exists() and b"/ld-linux" not in path.read_bytes():
            return path
    return None


def archives(folder: Path, program: Path, nonce: str) -> dict[str, Path]:
    """Write the bases as archives that `docker load` takes; return word -> archive, its tag being the word.

    `nonce` is in every base, so that nothing an earlier run built is found in a cache.
    """
    first = _layer(program, nonce)
    second = _tar(
        [("file", "srv/app/over", 0o644, 0, 0, b"second\n"), ("file", "data/seed", 0o600, 0, 0, b"1")]
    )
    plain: dict[str, Any] = {"Env": [f"PATH={PATH}"], "Cmd": ["/bin/sh"]}
    bare = _tar(
        [
            ("file", "nonce", 0o644, 0, 0, nonce.encode()),
            ("file", "bin/sh", 0o755, 0, 0, program.read_bytes()),
        ]
    )
    return {
        "base": _archive(folder, f"base-{nonce}", [first], plain),
        "rich": _archive(folder, f"rich-{nonce}", [first, second], RICH),
        "bare": _archive(folder, f"bare-{nonce}", [bare], {}),
    }


def reference(word: str, nonce: str) -> str:
    """Return the reference of the base that a case calls @word."""
    return f"{REPOSITORY}:{word}-{nonce}"


Row = tuple[str, str, int, int, int, bytes]


def _layer(program: Path, nonce: str) -> bytes:
    folders = (
        "bin",
        "dev",
        "etc",
        "home",
        "proc",
        "srv",
        "srv/app",
        "sys",
        "usr",
        "usr/bin",
        "var",
        "var/lib",
    )
    rows: list[Row] = [("dir", name, 0o755, 0, 0, b"") for name in folders]
    rows += [
        ("dir", "tmp", 0o1777, 0, 0, b""),
        ("dir", "root", 0o700, 0, 0, b""),
        ("dir", "home/ann", 0o750, 1000, 1000, b""),
        ("dir", "home/bob", 0o755, 1001, 100, b""),
        ("dir", "var/full", 0o2775, 0, 50, b""),
        ("dir", "var/full/deep", 0o755, 1000, 50, b""),
        ("file", "var/full/one", 0o644, 0, 0, b"one\n"),
        ("file", "var/full/two", 0o640, 1000, 50, b"two\n"),
        ("file", "var/full/deep/three", 0o4755, 0, 0, b"three\n"),
        ("link", "var/to-folder", 0o777, 0, 0, b"full"),
        ("link", "var/to-file", 0o777, 0, 0, b"/var/full/one"),
        ("link", "var/to-nothing", 0o777, 0, 0, b"missing/place"),
        ("hard", "var/second-name", 0o644, 0, 0, b"var/full/one"),
        ("file", "etc/passwd", 0o644, 0, 0, PASSWD.encode()),
        ("file", "etc/group", 0o644, 0, 0, GROUP.encode()),
        # Without these the first RUN leaves their empty places in its layer (@bare shows that).
        ("file", "etc/hosts", 0o644, 0, 0, b""),
        ("file", "etc/resolv.conf", 0o644, 0, 0, b""),
        ("file", "etc/nonce", 0o644, 0, 0, nonce.encode()),
        ("file", "bin/busybox", 0o755, 0, 0, program.read_bytes()),
    ]
    rows += [("link", f"bin/{name}", 0o777, 0, 0, b"busybox") for name in APPLETS.split()]
    return _tar(rows)


def _tar(rows: list[Row]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for kind, name, mode, uid, gid, content in rows:
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid, info.mtime = mode, uid, gid, WHEN
            if kind == "file":
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
                continue
            info.type = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}[kind]
            info.linkname = content.decode()
            tar.addfile(info)
    return out.getvalue()


def _archive(folder: Path, tag: str, layers: list[bytes], settings: Mapping[str, Any]) -> Path:
    config = json.dumps(
        {
            "architecture": here().architecture,
            "os": "linux",
            "created": "2020-01-01T00:00:00Z",
            "config": settings,
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers],
            },
            "history": [
                {"created": "2020-01-01T00:00:00Z", "created_by": f"part {number} of the suite's base"}
                for number in range(len(layers))
            ],
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = json.dumps([{"Config": name, "RepoTags": [f"{REPOSITORY}:{tag}"], "Layers": names}]).encode()
    path = folder / f"{tag}.tar"
    with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, data in ((name, config), *zip(names, layers, strict=True), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path
