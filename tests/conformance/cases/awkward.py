"""Names and Dockerfiles that are no plain text: other bytes than UTF-8's, control characters, `\\r`.

"\\udce9" is the byte 0xE9, as Python's surrogateescape has it: é in Latin-1.
"""

from __future__ import annotations

from tests.conformance.case import Case, Folder, Item, Link

from .adding import archive

LATIN = "caf\udce9"
ODD = "od d\x1b[31m\n\x07é"  # a colour, a newline, a bell
FILES: dict[str, Item] = {
    f"d/{ODD}.txt": "odd\n",
    "d/plain": "plain\n",
    "link": Link("e/\x1b(0\x07é"),
    "e/\x1b(0\x07é": "linked\n",
    f"dir-{ODD}": Folder(),
    f"dir-{ODD}/in": "in\n",
    "a.tar": archive(
        ("file", f"{LATIN}.txt", 0o644, 0, 0, "latin\n"),
        ("link", "to", 0o777, 0, 0, f"{LATIN}.txt"),
        ("hard", f"hard {ODD}", 0o644, 0, 0, f"{LATIN}.txt"),
        ("file", f"dir-{LATIN}/{ODD}", 0o644, 0, 0, "odd\n"),
    ),
}
LIST = "RUN find /x | sort > /tmp/names; cat /x/o* > /tmp/contents; true"


def _name(name: str, *lines: str, differs: str | None = None, latin: bool = False) -> Case:
    text = "\n".join(["FROM @base AS first", *lines]) + "\n"
    context = {**FILES, f"l/{LATIN}.txt": "latin\n"} if latin else FILES
    return Case(f"name-{name}", text, context, differs=differs)


NAMES = [
    _name("folder", "COPY d /x/", LIST),
    _name("wildcard", "COPY d/o* /x/", LIST),
    _name("wildcard-one", "COPY d/od*?.txt dir-* /x/", LIST),
    _name("link", "COPY link /x/", LIST),
    _name("parents", "COPY --parents d/o* /x/", differs="parents"),
    _name("exclude", "COPY --exclude=o* d /x/", differs="newer"),
    _name("mount", "RUN --mount=target=/x,source=d find /x | sort > /tmp/names; cp -a /x /y"),
    _name("context", "COPY l /x/", latin=True, differs="latin-names"),
    _name("context-wildcard", "COPY l/c* /x/", LIST, latin=True, differs="latin-names"),
    _name("context-mount", "RUN --mount=target=/x,source=l cp -a /x /y", latin=True, differs="latin-names"),
    _name("context-beside", "COPY d /x/", latin=True),
    _name("archive", "ADD a.tar /x/", LIST, "RUN rm /x/caf*; cp -a /x /y"),
    _name("run", r"RUN mkdir /x && touch /x/$(printf 'caf\351\033.txt') && ln -s $(printf '\351') /x/l"),
    _name("run-then-remove", r"RUN mkdir /x && touch /x/$(printf 'caf\351')", "RUN rm /x/caf*"),
    _name("run-rename", r"RUN mkdir /x && touch /x/$(printf 'caf\351')", r"RUN mv /x /$(printf 'y\351')"),
    _name("run-owner", r"RUN mkdir /x && cd /x && touch $(printf 'caf\351') && chown ann c* && chmod 600 c*"),
    _name("run-output", r"RUN printf 'caf\351 \033[31mred\033[0m \007\n' | tee /tmp/f"),
    _name(
        "stage",
        "ADD a.tar /x/",
        "FROM @base",
        "COPY --from=first /x/c* /x/dir* /z/",
        "COPY --from=first /x /zz",
    ),
    _name(
        "stage-mount",
        "ADD a.tar /x/",
        "FROM @base",
        "RUN --mount=from=first,target=/m mkdir /y; cp -a /m/x/caf* /m/x/dir* /y",
    ),
]


def _text(name: str, text: str, *, refused: str | None = None, differs: str | None = None) -> Case:
    return Case(f"bytes-{name}", text, FILES, refused=refused, differs=differs)


TEXTS = [
    _text("crlf-heredoc-copy", "FROM @base\r\nCOPY <<EOF /tmp/f\r\none\r\ntwo\r\nEOF\r\nLABEL a=b\r\n"),
    _text("crlf-heredoc-run", "FROM @base\r\nRUN <<EOF\r\necho one > /tmp/f\r\nEOF\r\nLABEL a=b\r\n"),
    _text(
        "crlf-heredoc-shebang",
        "FROM @base\r\nRUN <<EOF\r\n#!/bin/sh\r\necho one > /tmp/f\r\nEOF\r\n",
        refused="exit code 127",
        differs="proot-shebang",
    ),
    _text("crlf-heredoc-chomp", "FROM @base\r\nCOPY <<-EOF /tmp/f\r\n\tone\r\n\t\ttwo\r\n\tEOF\r\n"),
    _text("crlf-heredoc-quoted", "FROM @base\r\nENV A=1\r\nCOPY <<'EOF' /tmp/f\r\n$A\r\nEOF\r\n"),
    _text("crlf-heredoc-with-command", "FROM @base\r\nRUN cat <<EOF > /tmp/f\r\none\r\nEOF\r\n"),
    _text("crlf-continued", "FROM @base\r\nRUN echo a \\\r\n  b > /tmp/f\r\n"),
    _text("crlf-continued-space", "FROM @base\r\nRUN echo a \\ \r\n  b > /tmp/f\r\n"),
    _text("crlf-directive", "# escape=`\r\nFROM @base\r\nRUN echo a `\r\n  b > /tmp/f\r\n"),
    _text("crlf-comment-in-continuation", "FROM @base\r\nLABEL a=b \\\r\n# c\r\n\r\n  d=e\r\n"),
    _text("cr-alone-between", "FROM @base\rLABEL a=b\n", refused="FROM"),
    _text("cr-alone-in-run", "FROM @base\nRUN echo a\recho b > /tmp/f\n"),
    _text("cr-alone-in-label", "FROM @base\nLABEL a=b\rc=d\n"),
    _text("cr-alone-in-comment", "FROM @base\n# a comment\rLABEL a=b\n"),
    _text("cr-alone-at-end", "FROM @base\nLABEL a=b\r"),
    _text("cr-twice", "FROM @base\r\r\nLABEL a=b\r\r\n"),
    _text("cr-in-heredoc", "FROM @base\nCOPY <<EOF /tmp/f\na\rb\r\r\nEOF\n"),
    _text("cr-after-delimiter", "FROM @base\nCOPY <<EOF /tmp/f\na\nEOF\r\r\nLABEL a=b\n"),
    _text("lf-heredoc-crlf-body", "FROM @base\nCOPY <<EOF /tmp/f\na\r\nb\nEOF\nLABEL a=b\n"),
    _text("latin-1-comment", "FROM @base\n# caf\udce9\nLABEL a=b\n"),
    _text("latin-1-comment-first", "# caf\udce9\nFROM @base\nLABEL a=b\n"),
    _text("latin-1-comment-in-continuation", "FROM @base\nLABEL a=b \\\n# caf\udce9\n  c=d\n"),
    _text(
        "latin-1-heredoc",
        "FROM @base\nCOPY <<EOF /tmp/f\ncaf\udce9\nEOF\n",
        refused="UTF-8",
        differs="latin-text",
    ),
    _text("latin-1-heredoc-run", "FROM @base\nRUN cat <<EOF >/tmp/f\ncaf\udce9\nEOF\n", refused="UTF-8"),
    _text("latin-1-env", "FROM @base\nENV A=caf\udce9\n", refused="UTF-8", differs="latin-text"),
    _text(
        "latin-1-unused-stage",
        "FROM @base AS one\nLABEL a=\udce9\nFROM @base\nLABEL a=b\n",
        refused="UTF-8",
        differs="latin-text",
    ),
    _text("form-feed", "FROM @base\n\fLABEL a=b\v\n"),
    _text("nul", "FROM @base\nLABEL a=b\0c\n"),
]

CASES = [*NAMES, *TEXTS]
