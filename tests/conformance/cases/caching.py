"""What a change does to the cached steps of a second build, and the reason that is given."""

from __future__ import annotations

from dockerlab.context.context import File
from tests.conformance.case import Again, Case, Folder, Item, Link


def _row(
    name: str,
    first: str,
    second: str,
    reason: str | None,
    *,
    context: dict[str, Item] | None = None,
    changed: dict[str, Item | None] | None = None,
    below: str = "COPY src /x/\nRUN echo run > /tmp/f\n",
    first_args: dict[str, str] | None = None,
    second_args: dict[str, str] | None = None,
    first_secrets: dict[str, bytes] | None = None,
    second_secrets: dict[str, bytes] | None = None,
    differs: str | None = None,
) -> Case:
    """Return a case of two builds: `first` or `second` stands between a step of its own and `below`."""
    top = f"FROM @base\nWORKDIR /{name}\n"
    return Case(
        f"cache-{name}",
        f"{top}{first}{below}",
        {"src/a": f"{name} @nonce\n", "other/a": f"{name} @nonce\n", **(context or {})},
        build_args=first_args or {},
        secrets=first_secrets or {},
        again=Again(
            text=f"{top}{second}{below}",
            context=changed or {},
            build_args=second_args,
            secrets=second_secrets,
            reason=reason,
        ),
        differs=differs,
    )


def _files(name: str, changed: dict[str, Item | None], reason: str | None, **more: Item) -> Case:
    return _row(name, "", "", reason, context=more, changed=changed)


def _pointed_at(
    name: str, changed: dict[str, Item | None], reason: str | None, *, differs: str | None = None
) -> Case:
    """Return a case of a wildcard over symlinks; the last line has BuildKit sent what they point at."""
    lines = "COPY sr* /x/\nCOPY to/a to/f to/same /y/\n"
    below = {"to/a": "@nonce\n", "to/b": "b\n", "to/same": "@nonce\n", "to/f/one": "1\n"}
    links: dict[str, Item] = {"src/l": Link("../to/a"), "src/m": Link("../to/f")}
    return _row(
        f"pointed-at-{name}",
        lines,
        lines,
        reason,
        context={**below, **links},
        changed=changed,
        below="",
        differs=differs,
    )


def _copy(
    name: str, first: str, second: str, reason: str | None, *, differs: str | None = None, **more: Item
) -> Case:
    below = "RUN echo run > /tmp/f\n"
    return _row(name, first, second, reason, below=below, context=more, differs=differs)


CASES = [
    Case(
        "cache-workdir-scratch",
        "FROM scratch\nWORKDIR /@nonce\nCOPY one /\nCOPY two /\n",
        {"one": "1\n", "two": "2\n"},
        again=Again(context={"two": "edited\n"}, reason="two changed"),
        differs="workdir-scratch",
    ),
    _row("nothing", "", "", None),
    _row("label", "LABEL a=1\n", "LABEL a=2\n", None),
    _row("cmd", 'CMD ["1"]\n', 'CMD ["2"]\n', None),
    _row("entrypoint", 'ENTRYPOINT ["1"]\n', 'ENTRYPOINT ["2"]\n', None),
    _row("expose", "EXPOSE 80\n", "EXPOSE 81\n", None),
    _row("volume", "VOLUME /a\n", "VOLUME /b\n", None),
    _row("stopsignal", "STOPSIGNAL 1\n", "STOPSIGNAL 2\n", None),
    _row("healthcheck", "HEALTHCHECK NONE\n", "HEALTHCHECK CMD true\n", None),
    _row("onbuild", "ONBUILD RUN 1\n", "ONBUILD RUN 2\n", None),
    _row("maintainer", "MAINTAINER a\n", "MAINTAINER b\n", None),
    _row("metadata-added", "", "LABEL a=1\nEXPOSE 80\n", None),
    _row("env", "ENV A=1\n", "ENV A=2\n", 'A (line 3) was "1", is "2"'),
    _row("env-added", "", "ENV A=2\n", "ENV A (line 3) is new"),
    _row("env-removed", "ENV A=2\n", "", "the variable A is gone"),
    _row("env-order", "ENV A=1\nENV B=2\n", "ENV B=2\nENV A=1\n", "its variables are set in another order"),
    _row("user", "USER 1\n", "USER 2\n", 'the USER was "1", is "2"', below="COPY src /x/\nRUN true\n"),
    _row("shell", "", 'SHELL ["/bin/sh", "-ec"]\n', "command"),
    _row("workdir", "WORKDIR /a\n", "WORKDIR /b\n", 'the folder was "/a", is "/b"'),
    _row("workdir-added", "", "WORKDIR /b\n", "it was not built before"),
    _row("arg-default-unused", "ARG A=1\n", "ARG A=2\n", 'A (line 3) was "1", is "2"'),
    _row(
        "arg-given",
        "ARG A\n",
        "ARG A\n",
        'A (line 3) was "1", is "2"',
        first_args={"A": "1"},
        second_args={"A": "2"},
    ),
    _row("arg-given-undeclared", "", "", None, first_args={"A": "1"}, second_args={"A": "2"}),
    _row("arg-proxy", "", "", None, first_args={"HTTP_PROXY": "x:1"}, second_args={"HTTP_PROXY": "x:2"}),
    _row(
        "arg-below",
        "",
        "",
        None,
        below="COPY src /x/\nRUN echo run > /tmp/f\nARG A\n",
        first_args={"A": "1"},
        second_args={"A": "2"},
    ),
    _row("run-above", "RUN echo 1 > /tmp/r\n", "RUN echo 2 > /tmp/r\n", "command"),
    _row("run-above-same-result", "RUN : 1\n", "RUN : 2\n", "command"),
    _row("run-spaces", "RUN echo  a > /tmp/r\n", "RUN echo a > /tmp/r\n", "command"),
    _row("run-json", 'RUN ["/bin/sh", "-c", "true"]\n', "RUN true\n", None),
    _row("comment", "# one\n", "# two\n", None),
    _row("comment-inside", "RUN true && \\\n# one\n  true\n", "RUN true && \\\n# two\n  true\n", None),
    _row("continuation-spaces", "RUN true && \\\n  true\n", "RUN true && \\\n    true\n", "command"),
    _row("heredoc", "RUN <<E\necho 1\nE\n", "RUN <<E\necho 2\nE\n", "command"),
    _row("heredoc-name", "RUN <<E\necho 1\nE\n", "RUN <<F\necho 1\nF\n", None),
    _row("step-removed", "RUN true\n", "", 'a line above it is gone: "RUN true"'),
    _row("step-added", "", "RUN : new\n", "it was not built before"),
    _files("content", {"src/a": "other @nonce\n"}, "src/a changed: its content was"),
    _files("mtime", {}, None),
    _files("mode", {"src/a": File("mode @nonce\n", 0o755)}, "src/a changed: its mode was 0644, is 0755"),
    _files("file-added", {"src/b": "b\n"}, "src/b is new among the files it reads"),
    _files("file-removed", {"src/b": None}, "src/b is gone from the files it reads", **{"src/b": "b\n"}),
    _files("folder-added", {"src/empty": Folder()}, "src/empty is new among the files it reads"),
    _files(
        "folder-mode",
        {"src/d": Folder(0o700)},
        "src/d changed: its mode was 0755, is 0700",
        **{"src/d": Folder(0o755)},
    ),
    _files("top-folder-mode", {"src": Folder(0o700)}, "src changed: its mode was 0755, is 0700"),
    _row(
        "root-folder-mode",
        "COPY . /w/\n",
        "COPY . /w/\n",
        None,
        context={".": Folder(0o755)},
        changed={".": Folder(0o700)},
    ),
    _files("elsewhere", {"unused": "2\n"}, None, unused="1\n"),
    _pointed_at("file", {"to/a": "edited\n"}, "to/a changed", differs="glob-link"),
    _pointed_at("folder-file", {"to/f/one": "edited\n"}, "to/f/one changed", differs="glob-link"),
    _pointed_at("folder-new", {"to/f/two": "new\n"}, "to/f/two is new", differs="glob-link"),
    _pointed_at("not-it", {"to/b": "edited\n"}, None),
    _pointed_at("retargeted", {"src/l": Link("../to/same")}, "src/l changed", differs="glob-retarget"),
    _files("ignored", {"src/b": "2\n"}, None, **{".dockerignore": "src/b\n", "src/b": "1\n"}),
    _files("ignore-file", {".dockerignore": "nothing\n"}, None, **{".dockerignore": "none\n"}),
    _copy("source-name", "COPY src /x/\n", "COPY other /x/\n", "sources"),
    _copy("source-file-name", "COPY src/a /x/a\n", "COPY other/a /x/a\n", None),
    _copy("source-file-to-folder", "COPY src/a /x/\n", "COPY other/a /x/\n", None),
    _copy(
        "source-file-other-name",
        "COPY src/a /x/\n",
        "COPY src/b /x/\n",
        "sources",
        **{"src/b": "source-file-other-name @nonce\n"},
    ),
    _copy(
        "source-file-other-name-to-name",
        "COPY src/a /x/y\n",
        "COPY src/b /x/y\n",
        "sources",
        **{"src/b": "source-file-other-name-to-name @nonce\n"},
    ),
    _copy("source-two", "COPY src/a src/b /x/\n", "COPY src/b src/a /x/\n", "sources", **{"src/b": "b\n"}),
    _copy("source-dot-slash", "COPY ./src /x/\n", "COPY src/ /x/\n", None),
    _copy("source-glob-other", "COPY src/a* /x/\n", "COPY other/a* /x/\n", None),
    _copy("destination-same-place", "COPY src /x/\n", "COPY src /x\n", "destination"),
    _copy("destination-dots", "COPY src /x/\n", "COPY src /y/../x/\n", None),
    _copy("variable-for-word", "ENV D=/x/\nCOPY src $D\n", "ENV D=/x/\nCOPY src /x/\n", None),
    _copy("destination", "COPY src /x/\n", "COPY src /y/\n", "destination"),
    _copy("chown", "COPY --chown=1 src /x/\n", "COPY --chown=2 src /x/\n", '--chown was "1", is "2"'),
    _copy(
        "chmod",
        "COPY --chmod=600 src /x/\n",
        "COPY --chmod=644 src /x/\n",
        '--chmod was "600", is "644"',
        differs="chmod-parents",
    ),
    _copy("copy-to-add", "COPY src /x/\n", "ADD src /x/\n", "it was not built before"),
    _copy("glob-to-name", "COPY src/a* /x/\n", "COPY src/a /x/\n", "sources"),
    _copy("copy-heredoc", "COPY <<E /x/f\n1\nE\n", "COPY <<E /x/f\n2\nE\n", "E changed: its content was"),
    _row("user-copy", "USER 1\n", "USER 2\n", None, below="COPY src /x/\n"),
    _row("env-copy", "ENV A=1\n", "ENV A=2\n", None, below="COPY src /x/\n"),
    _row("user-workdir", "USER 1\n", "USER 2\n", 'the USER was "1", is "2"', below="WORKDIR /w\n"),
    _row("env-workdir", "ENV A=1\n", "ENV A=2\n", None, below="WORKDIR /w\n"),
    _row(
        "run-mount-id",
        "RUN --mount=type=cache,target=/c,id=a-@nonce true\n",
        "RUN --mount=type=cache,target=/c,id=b-@nonce true\n",
        None,
    ),
    _row(
        "run-mount-target",
        "RUN --mount=type=cache,target=/c,id=c-@nonce true\n",
        "RUN --mount=type=cache,target=/d,id=c-@nonce true\n",
        "--mount",
    ),
    _row(
        "run-mount-sharing",
        "RUN --mount=type=cache,target=/c,id=d-@nonce true\n",
        "RUN --mount=type=cache,target=/c,id=d-@nonce,sharing=locked true\n",
        None,
    ),
    _row(
        "run-mount-mode",
        "RUN --mount=type=cache,target=/c,id=e-@nonce true\n",
        "RUN --mount=type=cache,target=/c,id=e-@nonce,mode=0700 true\n",
        "--mount",
    ),
    _row(
        "run-mount-type",
        "RUN --mount=type=cache,target=/c,id=f-@nonce true\n",
        "RUN --mount=type=tmpfs,target=/c true\n",
        "--mount",
    ),
    _row(
        "run-mount-ro",
        "RUN --mount=type=cache,target=/c,id=g-@nonce true\n",
        "RUN --mount=type=cache,target=/c,id=g-@nonce,ro true\n",
        "--mount",
    ),
    _row(
        "secret-value",
        "RUN --mount=type=secret,id=s true\n",
        "RUN --mount=type=secret,id=s true\n",
        None,
        first_secrets={"s": b"1"},
        second_secrets={"s": b"2"},
    ),
    _row(
        "secret-id",
        "RUN --mount=type=secret,id=s,target=/s true\n",
        "RUN --mount=type=secret,id=t,target=/s true\n",
        "--mount",
        first_secrets={"s": b"1", "t": b"1"},
        second_secrets={"s": b"1", "t": b"1"},
    ),
    _row(
        "secret-mode",
        "RUN --mount=type=secret,id=s true\n",
        "RUN --mount=type=secret,id=s,mode=0444 true\n",
        "--mount",
        first_secrets={"s": b"1"},
        second_secrets={"s": b"1"},
    ),
    _row(
        "bind-content",
        "RUN --mount=target=/m,source=other true\n",
        "RUN --mount=target=/m,source=other true\n",
        "other/a changed: its content was",
        changed={"other/a": "new @nonce\n"},
    ),
    _row(
        "bind-elsewhere",
        "RUN --mount=target=/m,source=other true\n",
        "RUN --mount=target=/m,source=other true\n",
        None,
        context={"unused": "1\n"},
        changed={"unused": "2\n"},
    ),
    _row(
        "bind-source",
        "RUN --mount=target=/m,source=other true\n",
        "RUN --mount=target=/m,source=src true\n",
        None,
    ),
    _row("network", "RUN true\n", "RUN --network=none true\n", "network"),
    Case(
        "cache-stage-same-bytes",
        "FROM @base AS one\nWORKDIR /stage-same\nRUN : 1; echo out > /out\n"
        "FROM @base\nWORKDIR /same\nCOPY --from=one /out /o\nRUN echo run > /tmp/f\n",
        again=Again(
            text="FROM @base AS one\nWORKDIR /stage-same\nRUN : 2; echo out > /out\n"
            "FROM @base\nWORKDIR /same\nCOPY --from=one /out /o\nRUN echo run > /tmp/f\n",
            reason="command",
        ),
    ),
    Case(
        "cache-stage-other-bytes",
        "FROM @base AS one\nWORKDIR /stage-other\nRUN echo 1 > /out\n"
        "FROM @base\nWORKDIR /other\nCOPY --from=one /out /o\nRUN echo run > /tmp/f\n",
        again=Again(
            text="FROM @base AS one\nWORKDIR /stage-other\nRUN echo 2 > /out\n"
            "FROM @base\nWORKDIR /other\nCOPY --from=one /out /o\nRUN echo run > /tmp/f\n",
            reason="command",
        ),
    ),
    Case(
        "cache-stage-renamed",
        "FROM @base AS one\nWORKDIR /stage-renamed\nRUN true\nFROM one\nRUN : in two\n",
        again=Again(text="FROM @base AS uno\nWORKDIR /stage-renamed\nRUN true\nFROM uno\nRUN : in two\n"),
    ),
    Case(
        "cache-link",
        "FROM @base\nWORKDIR /link\nRUN : 1\nCOPY --link a /x/\nRUN true\n",
        {"a": "link @nonce\n"},
        again=Again(
            text="FROM @base\nWORKDIR /link\nRUN : 2\nCOPY --link a /x/\nRUN true\n", reason="command"
        ),
        differs="link",
    ),
    Case(
        "cache-off",
        "FROM @base\nWORKDIR /off\nCOPY a /off/\nWORKDIR /off/2\nRUN true\nADD a /off/2/\nWORKDIR /off/3\n",
        {"a": "off @nonce\n"},
        again=Again(no_cache=True, reason="the cache was turned off"),
    ),
    Case(
        "cache-off-mount",
        "FROM @base\nWORKDIR /off-mount\n"
        "RUN --mount=type=cache,target=/c,id=off-@nonce echo x >> /c/f; cat /c/f > /tmp/f\n"
        "RUN --mount=type=cache,target=/d,id=off-@nonce,sharing=locked echo y >> /d/f; cat /d/f > /tmp/f\n",
        again=Again(no_cache=True, reason="the cache was turned off"),
    ),
    Case(
        "cache-off-mount-private",
        "FROM @base\nWORKDIR /off-mount-private\n"
        "RUN --mount=type=cache,target=/c,id=off-private-@nonce,sharing=private"
        " --mount=type=cache,target=/d,id=off-twice-@nonce --mount=type=cache,target=/e,id=off-twice-@nonce"
        " echo x >> /c/f; echo x >> /d/f; echo x >> /e/f; cat /c/f /d/f > /tmp/f\n",
        again=Again(no_cache=True, reason="the cache was turned off"),
    ),
    Case(
        "cache-off-mount-from",
        "FROM @base\nWORKDIR /off-mount-from\n"
        "RUN --mount=type=cache,target=/c,id=off-from-@nonce,from=@rich,source=/srv/app"
        " ls /c > /tmp/f; rm /c/over; echo x > /c/f\n",
        again=Again(no_cache=True, reason="the cache was turned off"),
        differs="cache-from",
    ),
    Case(
        "cache-off-stages-alike",
        "FROM @base AS one\nWORKDIR /off-stages\nRUN cat /proc/sys/kernel/random/uuid > /tmp/u\n"
        "FROM @base AS two\nWORKDIR /off-stages\nRUN cat /proc/sys/kernel/random/uuid > /tmp/u\n"
        "FROM @base\nRUN --mount=from=one,target=/one --mount=from=two,target=/two"
        " test $(cat /one/tmp/u) = $(cat /two/tmp/u) && echo same > /tmp/same\n",
        again=Again(no_cache=True, reason="the cache was turned off"),
    ),
    Case(
        "cache-stages-alike",
        "FROM @base AS one\nWORKDIR /stages-alike\nRUN : one\n"
        "FROM @base\nWORKDIR /stages-alike\nRUN : one\nCOPY --from=one /etc/nonce /\n",
        again=Again(
            text="FROM @base AS one\nWORKDIR /stages-alike\nRUN : two\n"
            "FROM @base\nWORKDIR /stages-alike\nRUN : two\nCOPY --from=one /etc/nonce /\n",
            reason="command",
        ),
    ),
    Case(
        "cache-add-url",
        "FROM @base\nWORKDIR /add-url\nADD @server/plain.txt /x/\nRUN true\n",
        again=Again(),
    ),
    Case(
        "cache-rebuilt-in-another-order",
        "FROM @base\nWORKDIR /order\nRUN : a\nRUN : b\n",
        again=Again(
            text="FROM @base\nWORKDIR /order\nRUN : b\nRUN : a\n",
            reason="the lines above it are in another order",
        ),
    ),
]
