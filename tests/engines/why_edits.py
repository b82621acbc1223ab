"""Edits of small Dockerfiles: which lines run again after each, and the reason of the first.

In a text @base and @rich are the images of tests/conformance/bases.py. Every Dockerfile begins with a step of
its own, so that no row finds another's steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockerlab.context import File
from tests.conformance.case import Item, Link


@dataclass(frozen=True)
class Edit:
    """One edit. `misses` are the lines that run again; `reason` is that of the first."""

    name: str
    text: str
    to: str = ""  # the new text; "": the same
    files: Mapping[str, Item] = field(default_factory=dict)
    changed: Mapping[str, Item | None] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)  # build arguments before
    args_to: Mapping[str, str] = field(default_factory=dict)  # and after
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    secrets_to: Mapping[str, bytes] = field(default_factory=dict)
    newer: bool = False  # no Docker without a # syntax line builds it
    misses: tuple[int, ...] = ()
    reason: str = ""


AB: dict[str, Item] = {"a": "1\n", "b": "2\n"}
D: dict[str, Item] = {"d/a.txt": "1\n", "d/b.txt": "2\n", "d/e/c.txt": "3\n", "d/x.md": "4\n"}


def _own(name: str, text: str) -> str:
    """Put a step of the row's own below each FROM of a base."""
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if line.startswith("FROM @") or line.startswith("FROM $"):
            lines.append(f"WORKDIR /own/{name}")
    return "\n".join(lines) + "\n"


def edit(
    name: str,
    text: str,
    to: str = "",
    *,
    misses: tuple[int, ...] = (),
    reason: str = "",
    files: Mapping[str, Item] | None = None,
    changed: Mapping[str, Item | None] | None = None,
    args: Mapping[str, str] | None = None,
    args_to: Mapping[str, str] | None = None,
    secrets: Mapping[str, bytes] | None = None,
    secrets_to: Mapping[str, bytes] | None = None,
    newer: bool = False,
) -> Edit:
    """Return an edit; a text without FROM stands on @base, and its first line is then line 3."""

    def whole(part: str) -> str:
        return _own(name, part if "FROM" in part else f"FROM @base\n{part}") if part else ""

    return Edit(
        name,
        whole(text),
        whole(to),
        files or {},
        changed or {},
        args or {},
        args_to or args or {},
        secrets or {},
        secrets_to or secrets or {},
        newer,
        misses,
        reason,
    )


BUS = {"id": b"1"}

EDITS = [
    # ARG and ENV
    edit("arg", "ARG V=1\nRUN :", "ARG V=2\nRUN :"),
    edit("arg-given", "ARG V=1\nRUN :", args_to={"V": "2"}),
    edit("arg-given-both", "ARG V\nRUN :", args={"V": "1"}, args_to={"V": "2"}),
    edit("arg-copy", "ARG V=1\nCOPY a /x\nRUN :", files=AB, args_to={"V": "2"}),
    edit("arg-copy-uses", "ARG V=a\nCOPY $V /x\n", files=AB, args_to={"V": "b"}),
    edit("arg-below", "RUN :\nARG V=1\nCOPY a /x", files=AB, args_to={"V": "2"}),
    edit("arg-undeclared", "RUN :", args_to={"V": "2"}),
    edit("arg-of-env", "ENV E=1\nARG V=$E\nRUN :", "ENV E=2\nARG V=$E\nRUN :"),
    edit("arg-over-env-env", "ENV V=1\nARG V=2\nRUN :", "ENV V=9\nARG V=2\nRUN :"),
    edit("arg-over-env-arg", "ENV V=1\nARG V=2\nRUN :", "ENV V=1\nARG V=9\nRUN :"),
    edit("arg-over-env-given", "ENV V=1\nARG V\nRUN :", args={"V": "2"}, args_to={"V": "9"}),
    edit("arg-bare-over-env", "ENV V=1\nARG V\nRUN :", "ENV V=2\nARG V\nRUN :"),
    edit("arg-under-env", "ARG V=1\nENV V=2\nRUN :", "ARG V=9\nENV V=2\nRUN :"),
    edit("arg-under-env-given", "ARG V\nENV V=2\nRUN :", args={"V": "1"}, args_to={"V": "9"}),
    edit("arg-in-env", "ARG V=1\nENV W=x$V\nRUN :", args_to={"V": "2"}),
    edit("arg-default-in-env", "ARG V\nENV W=${V:-d}\nCOPY a /$W/", files=AB, args_to={"V": "2"}),
    edit("arg-twice", "ARG V=1\nARG V=2\nRUN :", "ARG V=9\nARG V=2\nRUN :"),
    edit("arg-two", "ARG A=1 B=2\nRUN :", "ARG A=1 B=9\nRUN :"),
    edit("arg-of-the-stage-below", "FROM @base AS a\nARG V=1\nFROM a\nRUN : hello", args_to={"V": "2"}),
    edit(
        "arg-of-another-stage",
        "FROM @base AS a\nARG V=1\nRUN :\nFROM @base\nCOPY --from=a /etc/nonce /n\nRUN : b",
        args_to={"V": "2"},
    ),
    edit(
        "arg-redeclared-below",
        "FROM @base AS a\nARG V=1\nFROM a\nARG V=7\nRUN :",
        "FROM @base AS a\nARG V=2\nFROM a\nARG V=7\nRUN :",
    ),
    edit("arg-global", "ARG G=1\nFROM @base\nARG G\nRUN :", "ARG G=2\nFROM @base\nARG G\nRUN :"),
    edit("arg-global-given", "ARG G=1\nFROM @base\nARG G\nRUN :", args_to={"G": "2"}),
    edit("arg-global-out-of-scope", "ARG G=1\nFROM @base\nRUN :", args_to={"G": "2"}),
    edit("arg-global-default-here", "ARG G=1\nFROM @base\nARG G=3\nRUN :", args_to={"G": "2"}),
    edit("arg-global-base", "ARG B=@base\nFROM $B\nRUN :", "ARG B=@rich\nFROM $B\nRUN :"),
    edit("arg-proxy", "RUN :", args={"HTTP_PROXY": "http://x:1"}, args_to={"HTTP_PROXY": "http://x:2"}),
    edit("env", "ENV V=1\nCOPY a /x\nRUN :", "ENV V=2\nCOPY a /x\nRUN :", files=AB),
    edit("env-second", "ENV A=1 B=2\nRUN :", "ENV A=1 B=9\nRUN :"),
    edit("env-old-form", "ENV A one two\nRUN :", "ENV A one three\nRUN :"),
    edit("env-quotes", 'ENV A="x y"\nRUN :', "ENV A=x\\ y\nRUN :"),
    edit("env-added", "RUN :", "ENV A=1\nRUN :"),
    edit("env-removed", "ENV A=1\nRUN :", "RUN :"),
    edit("env-order", "ENV A=1\nENV B=2\nRUN :", "ENV B=2\nENV A=1\nRUN :"),
    edit(
        "env-of-the-stage-below",
        "FROM @base AS a\nENV A=1\nFROM a\nRUN :",
        "FROM @base AS a\nENV A=2\nFROM a\nRUN :",
    ),
    edit(
        "env-of-another-stage",
        "FROM @base AS a\nENV A=1\nFROM @base\nCOPY --from=a /etc/nonce /n\nRUN :",
        "FROM @base AS a\nENV A=2\nFROM @base\nCOPY --from=a /etc/nonce /n\nRUN :",
    ),
    edit("env-same-line", "ENV A=1\nENV A=2 B=$A\nRUN :", "ENV A=9\nENV A=2 B=$A\nRUN :"),
    edit("label", "LABEL v=1\nRUN :", "LABEL v=2\nRUN :"),
    # USER, WORKDIR, SHELL
    edit("user", "USER 1\nCOPY a /x\nRUN :", "USER 2\nCOPY a /x\nRUN :", files=AB),
    edit("user-group", "USER ann\nRUN :", "USER ann:staff\nRUN :"),
    edit("user-workdir", "USER ann\nWORKDIR /w", "USER bob\nWORKDIR /w"),
    edit(
        "user-of-the-stage-below",
        "FROM @base AS a\nUSER 1\nFROM a\nRUN :",
        "FROM @base AS a\nUSER 2\nFROM a\nRUN :",
    ),
    edit("user-of-arg", "ARG U=1\nUSER $U\nRUN :", args_to={"U": "2"}),
    edit("user-back", "USER 1\nUSER 0\nRUN :", "USER 2\nUSER 0\nRUN :"),
    edit("workdir", "WORKDIR /a\nRUN :", "WORKDIR /b\nRUN :"),
    edit("workdir-relative", "WORKDIR a\nWORKDIR b\nRUN :", "WORKDIR a\nWORKDIR c\nRUN :"),
    edit("workdir-of-env", "ENV D=/a\nWORKDIR $D\nCOPY a ./", "ENV D=/b\nWORKDIR $D\nCOPY a ./", files=AB),
    edit("workdir-spelled-otherwise", "WORKDIR /a\nRUN :", "WORKDIR /b/../a\nRUN :"),
    edit("workdir-root", "WORKDIR /\nRUN :", "RUN :"),
    edit(
        "workdir-of-the-stage-below",
        "FROM @base AS a\nWORKDIR /p\nFROM a\nCOPY a ./",
        "FROM @base AS a\nWORKDIR /q\nFROM a\nCOPY a ./",
        files=AB,
    ),
    edit("shell", 'SHELL ["/bin/sh", "-c"]\nRUN :', 'SHELL ["/bin/sh", "-ec"]\nRUN :'),
    edit("shell-default", "RUN :", 'SHELL ["/bin/sh", "-c"]\nRUN :'),
    edit(
        "shell-exec",
        'SHELL ["/bin/sh", "-c"]\nRUN ["/bin/true"]',
        'SHELL ["/bin/sh", "-ec"]\nRUN ["/bin/true"]',
    ),
    edit(
        "shell-of-the-stage-below",
        'FROM @base AS a\nSHELL ["/bin/sh", "-c"]\nFROM a\nRUN :',
        'FROM @base AS a\nSHELL ["/bin/sh", "-ec"]\nFROM a\nRUN :',
    ),
    # RUN
    edit("run", "RUN : 1\nRUN : b", "RUN : 2\nRUN : b"),
    edit("run-variable", "ENV V=1\nRUN : $V", "ENV V=1\nRUN : ${V}"),
    edit("run-heredoc", "RUN <<E\n: 1\nE", "RUN <<E\n: 2\nE"),
    edit("run-script", "RUN <<E\n#!/bin/sh\n: 1\nE", "RUN <<E\n#!/bin/sh\n: 2\nE"),
    edit("run-network", "RUN :", "RUN --network=none :"),
    edit("run-above", "RUN : 1\nCOPY a /x\nRUN : b", "RUN : 2\nCOPY a /x\nRUN : b", files=AB),
    # COPY and ADD
    edit("copy", "COPY a /x\nRUN :", files=AB, changed={"a": "9\n"}),
    edit("copy-mode", "COPY a /x", files=AB, changed={"a": File("1\n", 0o755)}),
    edit("copy-elsewhere", "COPY a /x", files=AB, changed={"b": "9\n"}),
    edit("copy-class", "COPY d/[ab].txt /x/", files=D, changed={"d/b.txt": "9\n"}),
    edit("copy-class-not-it", "COPY d/[ab].txt /x/", files=D, changed={"d/x.md": "9\n"}),
    edit("copy-class-negated", "COPY d/[^a]* /x/", files=D, changed={"d/x.md": "9\n"}),
    edit("copy-class-negated-not-it", "COPY d/[^a]* /x/", files=D, changed={"d/a.txt": "9\n"}),
    edit("copy-class-range", "COPY d/[a-c].t?t /x/", files=D, changed={"d/a.txt": "9\n"}),
    edit("copy-class-bang", "COPY d/[!a].txt /x/", files=D, changed={"d/a.txt": "9\n"}),
    edit("copy-star-new", "COPY d/*.txt /x/", files=D, changed={"d/n.txt": "9\n"}),
    edit("copy-star-gone", "COPY d/*.txt /x/", files=D, changed={"d/b.txt": None}),
    edit("copy-star-folder", "COPY d* /x/", files=D, changed={"d/e/c.txt": "9\n"}),
    edit("copy-star-deeper", "COPY */*/c.txt /x/", files=D, changed={"d/e/c.txt": "9\n"}),
    edit("copy-two-stars", "COPY **/a.txt /x/", files=D, changed={"d/a.txt": "9\n"}),
    edit(
        "copy-escaped", "COPY d/\\[1].txt /x/", files={**D, "d/[1].txt": "5\n"}, changed={"d/[1].txt": "9\n"}
    ),
    edit("copy-folder-new", "COPY d /x", files=D, changed={"d/e/n": "9\n"}),
    edit("copy-link-text", "COPY d /x", files={**D, "d/l": Link("a.txt")}, changed={"d/l": Link("b.txt")}),
    edit("copy-link-followed", "COPY l /x", files={**D, "l": Link("d/a.txt")}, changed={"d/a.txt": "9\n"}),
    edit("copy-link-into-folder", "COPY l/e /x", files={**D, "l": Link("d")}, changed={"d/e/c.txt": "9\n"}),
    edit("copy-ignored", "COPY d /x", files={**D, ".dockerignore": "**/b.txt\n"}, changed={"d/b.txt": "9\n"}),
    edit(
        "copy-ignore-less",
        "COPY d /x",
        files={**D, ".dockerignore": "**/b.txt\n"},
        changed={".dockerignore": "q\n"},
    ),
    edit(
        "copy-ignore-back",
        "COPY d /x",
        files={**D, ".dockerignore": "d/*\n"},
        changed={".dockerignore": "d/*\n!d/b.txt\n"},
    ),
    edit(
        "copy-ignore-same", "COPY d /x", files={**D, ".dockerignore": "q\n"}, changed={".dockerignore": "z\n"}
    ),
    edit("copy-owner", "COPY --chown=1 a /x", "COPY --chown=2 a /x", files=AB),
    edit("copy-owner-of-arg", "ARG U=1\nCOPY --chown=$U a /x", files=AB, args_to={"U": "2"}),
    edit("copy-chmod", "COPY --chmod=600 a /x", "COPY --chmod=644 a /x", files=AB),
    edit("copy-destination", "COPY a /x", "COPY a /y", files=AB),
    edit("copy-destination-env", "ENV D=/x\nCOPY a $D", "ENV D=/y\nCOPY a $D", files=AB),
    edit("copy-other-name", "COPY a /x/", "COPY b /x/", files={"a": "1\n", "b": "1\n"}),
    edit("copy-other-place", "COPY d/a /x/", "COPY e/a /x/", files={"d/a": "1\n", "e/a": "1\n"}),
    edit("copy-heredoc", "COPY <<E /f\n1\nE", "COPY <<E /f\n2\nE"),
    edit("copy-heredoc-arg", "ARG V=1\nCOPY <<E /f\n$V\nE", args_to={"V": "2"}),
    edit("copy-heredoc-quoted", "ARG V=1\nCOPY <<'E' /f\n$V\nE", args_to={"V": "2"}),
    edit("copy-to-add", "COPY a /x", "ADD a /x", files=AB),
    edit("copy-detached", "RUN : 1\nCOPY --link a /x", "RUN : 2\nCOPY --link b /x", files=AB),
    # from elsewhere
    edit(
        "from-stage",
        "FROM @base AS a\nRUN echo 1 > /o\nFROM @base\nCOPY --from=a /o /x\nRUN :",
        "FROM @base AS a\nRUN echo 2 > /o\nFROM @base\nCOPY --from=a /o /x\nRUN :",
    ),
    edit(
        "from-stage-context",
        "FROM @base AS a\nCOPY d /o\nFROM @base\nCOPY --from=a /o/e /x",
        files=D,
        changed={"d/e/c.txt": "9\n"},
    ),
    edit(
        "from-stage-other-file",
        "FROM @base AS a\nCOPY d /o\nFROM @base\nCOPY --from=a /o/e /x",
        files=D,
        changed={"d/a.txt": "9\n"},
    ),
    edit(
        "from-stage-same",
        "FROM @base AS a\nRUN : 1; echo 1 > /o\nFROM @base\nCOPY --from=a /o /x",
        "FROM @base AS a\nRUN : 2; echo 1 > /o\nFROM @base\nCOPY --from=a /o /x",
    ),
    edit(
        "from-stage-same-and-flag",
        "FROM @base AS a\nRUN : 1; echo 1 > /o\nFROM @base\nCOPY --from=a /o /x",
        "FROM @base AS a\nRUN : 2; echo 1 > /o\nFROM @base\nCOPY --from=a --chown=3 /o /x",
    ),
    edit(
        "from-number",
        "FROM @base AS a\nCOPY a /o\nFROM @base\nCOPY --from=0 /o /x",
        files=AB,
        changed={"a": "9\n"},
    ),
    edit(
        "from-other-stage",
        "FROM @base AS a\nCOPY a /o\nFROM @base AS b\nCOPY b /o\nFROM @base\nCOPY --from=a /o /x",
        "FROM @base AS a\nCOPY a /o\nFROM @base AS b\nCOPY b /o\nFROM @base\nCOPY --from=b /o /x",
        files=AB,
    ),
    edit("from-image", "COPY --from=@base /etc/nonce /x", "COPY --from=@rich /etc/nonce /x"),
    edit(
        "from-stage-and-above",
        "FROM @base AS a\nRUN echo 1 > /o\nFROM @base\nRUN : 1\nCOPY --from=a /o /x",
        "FROM @base AS a\nRUN echo 2 > /o\nFROM @base\nRUN : 2\nCOPY --from=a /o /x",
    ),
    edit(
        "stage-renamed",
        "FROM @base AS a\nCOPY a /o\nFROM @base\nCOPY --from=a /o /x",
        "FROM @base AS z\nCOPY a /o\nFROM @base\nCOPY --from=z /o /x",
        files=AB,
    ),
    edit(
        "stage-below",
        "FROM @base AS a\nRUN : 1\nFROM a\nRUN : b",
        "FROM @base AS a\nRUN : 2\nFROM a\nRUN : b",
    ),
    # --exclude and --parents
    edit("exclude", "COPY --exclude=**/*.md d /x", files=D, changed={"d/x.md": "9\n"}, newer=True),
    edit("exclude-other", "COPY --exclude=**/*.md d /x", "COPY --exclude=**/*.txt d /x", files=D, newer=True),
    edit(
        "exclude-back",
        "COPY --exclude=* --exclude=!a.txt d /x",
        files=D,
        changed={"d/a.txt": "9\n"},
        newer=True,
    ),
    edit("parents", "COPY --parents d/**/*.txt /x/", files=D, changed={"d/x.md": "9\n"}, newer=True),
    edit("parents-hit", "COPY --parents d/**/*.txt /x/", files=D, changed={"d/e/c.txt": "9\n"}, newer=True),
    edit("parents-pivot", "COPY --parents d/./e /x/", "COPY --parents d/e /x/", files=D, newer=True),
    # mounts
    edit("bind", "RUN --mount=target=/m,source=a :", files=AB, changed={"a": "9\n"}),
    edit("bind-elsewhere", "RUN --mount=target=/m,source=a :", files=AB, changed={"b": "9\n"}),
    edit("bind-folder", "RUN --mount=target=/m,src=d :", files=D, changed={"d/e/c.txt": "9\n"}),
    edit("bind-source", "RUN --mount=target=/m,source=a :", "RUN --mount=target=/m,source=b :", files=AB),
    edit(
        "bind-source-same",
        "RUN --mount=target=/m,source=a :",
        "RUN --mount=target=/m,source=b :",
        files={"a": "1\n", "b": "1\n"},
    ),
    edit(
        "bind-stage",
        "FROM @base AS a\nRUN echo 1 > /o\nFROM @base\nRUN --mount=from=a,target=/m,source=/o :",
        "FROM @base AS a\nRUN echo 2 > /o\nFROM @base\nRUN --mount=from=a,target=/m,source=/o :",
    ),
    edit(
        "bind-relative",
        "ENV W=p\nRUN --mount=target=$W,source=a :",
        "ENV W=q\nRUN --mount=target=$W,source=a :",
        files=AB,
    ),
    edit("bind-relative-same", "RUN --mount=target=p,source=a :", "RUN --mount=dst=./p,src=a :", files=AB),
    edit("bind-rw", "RUN --mount=target=/m,source=d :", "RUN --mount=target=/m,source=d,rw :", files=D),
    edit(
        "bind-rw-spelled",
        "RUN --mount=target=/m,source=d,rw=1 :",
        "RUN --mount=target=/m,source=d,ro=false :",
        files=D,
    ),
    edit("cache-target", "RUN --mount=type=cache,target=/c :", "RUN --mount=type=cache,target=/e :"),
    edit("cache-id", "RUN --mount=type=cache,target=/c,id=x :", "RUN --mount=type=cache,target=/c,id=y :"),
    edit(
        "cache-sharing",
        "RUN --mount=type=cache,target=/c :",
        "RUN --mount=type=cache,target=/c,sharing=locked :",
    ),
    edit(
        "cache-mode",
        "RUN --mount=type=cache,target=/c,mode=0700 :",
        "RUN --mount=type=cache,target=/c,mode=0755 :",
    ),
    edit("cache-uid", "RUN --mount=type=cache,target=/c,uid=1 :", "RUN --mount=type=cache,target=/c,uid=2 :"),
    edit(
        "cache-uid-default",
        "RUN --mount=type=cache,target=/c,uid=0 :",
        "RUN --mount=type=cache,target=/c,mode=0755,gid=0 :",
    ),
    edit("cache-ro", "RUN --mount=type=cache,target=/c :", "RUN --mount=type=cache,target=/c,ro :"),
    edit(
        "cache-from",
        "FROM @base AS a\nRUN echo 1 > /var/o\nFROM @base\nRUN --mount=type=cache,from=a,source=/var,target=/c :",
        "FROM @base AS a\nRUN echo 2 > /var/o\nFROM @base\nRUN --mount=type=cache,from=a,source=/var,target=/c :",
    ),
    edit("tmpfs-target", "RUN --mount=type=tmpfs,target=/t :", "RUN --mount=type=tmpfs,target=/u :"),
    edit(
        "tmpfs-size",
        "RUN --mount=type=tmpfs,target=/t,size=4096 :",
        "RUN --mount=type=tmpfs,target=/t,size=8k :",
    ),
    edit(
        "tmpfs-size-spelled",
        "RUN --mount=type=tmpfs,target=/t,size=8192 :",
        "RUN --mount=type=tmpfs,target=/t,size=8k :",
    ),
    edit("secret-value", "RUN --mount=type=secret,id=id :", secrets=BUS, secrets_to={"id": b"2"}),
    edit(
        "secret-id",
        "RUN --mount=type=secret,id=id,target=/s :",
        "RUN --mount=type=secret,id=no,target=/s :",
        secrets=BUS,
    ),
    edit(
        "secret-target",
        "RUN --mount=type=secret,id=id :",
        "RUN --mount=type=secret,id=id,target=/s :",
        secrets=BUS,
    ),
    edit(
        "secret-mode",
        "RUN --mount=type=secret,id=id :",
        "RUN --mount=type=secret,id=id,mode=0444 :",
        secrets=BUS,
    ),
    edit(
        "secret-mode-default",
        "RUN --mount=type=secret,id=id :",
        "RUN --mount=type=secret,id=id,mode=0400 :",
        secrets=BUS,
    ),
    edit(
        "secret-uid",
        "RUN --mount=type=secret,id=id,uid=1 :",
        "RUN --mount=type=secret,id=id,uid=2 :",
        secrets=BUS,
    ),
    edit(
        "secret-required",
        "RUN --mount=type=secret,id=id :",
        "RUN --mount=type=secret,id=id,required :",
        secrets=BUS,
    ),
    edit(
        "secret-env",
        "RUN --mount=type=secret,id=id,env=A :",
        "RUN --mount=type=secret,id=id,env=B :",
        secrets=BUS,
    ),
    edit(
        "mount-order",
        "RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t :",
        "RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/c :",
    ),
    # ONBUILD
    edit(
        "onbuild-run",
        "FROM @base AS a\nONBUILD RUN : 1\nFROM a\nRUN : x",
        "FROM @base AS a\nONBUILD RUN : 2\nFROM a\nRUN : x",
    ),
    edit(
        "onbuild-env",
        "FROM @base AS a\nONBUILD ENV V=1\nFROM a\nRUN : x",
        "FROM @base AS a\nONBUILD ENV V=2\nFROM a\nRUN : x",
    ),
    edit(
        "onbuild-copy", "FROM @base AS a\nONBUILD COPY a /x\nFROM a\nRUN : x", files=AB, changed={"a": "9\n"}
    ),
    edit(
        "onbuild-not-further",
        "FROM @base AS a\nONBUILD ENV V=1\nFROM a AS b\nFROM @base\nCOPY --from=b /etc/nonce /n",
        "FROM @base AS a\nONBUILD ENV V=2\nFROM a AS b\nFROM @base\nCOPY --from=b /etc/nonce /n",
    ),
    edit("onbuild-of-image", "FROM @rich\nRUN : x", "FROM @rich\nRUN : y"),
]
