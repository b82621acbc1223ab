"""Which parts of a system an image has."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockerlab.analysis.equipment import PARTS, equipment
from tests.tiny_images import Members, stack

HAVING: dict[str, list[Members]] = {
    "shell": [
        {"bin/sh": b"#"},
        {"usr/bin/dash": b"#"},
        {"bin/busybox": b"#", "bin/sh": ("symlink", "busybox")},
    ],
    "package manager": [{"usr/bin/apt-get": b"#"}, {"sbin/apk": b"#"}, {"usr/bin/microdnf": b"#"}],
    "package records": [
        {"var/lib/dpkg/status": b"P"},
        {"var/lib/dpkg/status.d/libc6": b"P"},
        {"lib/apk/db/installed": b"P"},
        {"usr/lib/sysimage/rpm/rpmdb.sqlite": b"P"},
        {"var/lib/rpm/rpmdb.sqlite": b"P"},
    ],
    "C library": [
        {"usr/lib64/ld-linux-x86-64.so.2": ("symlink", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")},
        {"lib/ld-linux-aarch64.so.1": b"\x7f"},
        {"lib/ld-musl-x86_64.so.1": b"\x7f"},
        {"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": b"\x7f"},
    ],
    "certificates": [
        {"etc/ssl/certs/ca-certificates.crt": b"-"},
        {"etc/ssl/cert.pem": b"-"},
        {"etc/pki/tls/certs/ca-bundle.crt": b"-"},
        {"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem": b"-"},
    ],
    "time zones": [{"usr/share/zoneinfo/Asia/Tokyo": b"TZif"}],
    "user names": [{"etc/passwd": b"root:x:0:0::/:/bin/sh\n"}],
    "C compiler": [{"usr/bin/gcc": ("symlink", "gcc-14")}, {"usr/bin/cc": b"#"}],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_found_where_distributions_keep_it(tmp_path: Path, part: str) -> None:
    """An image with that part alone has it and no other, at each place a distribution has for it."""
    for number, members in enumerate(HAVING[part]):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = equipment(stack(folder, [members]))
        assert [name for name, has in found.items() if has] == [part], members


def test_what_a_layer_removed_is_not_there(tmp_path: Path) -> None:
    """What a later layer deletes, and an empty folder, are no equipment."""
    image = stack(tmp_path, [{"bin/sh": b"#", "usr/share/zoneinfo": "dir"}, {"bin/sh": None}])
    assert not any(equipment(image).values())
