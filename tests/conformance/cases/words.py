"""Words and lines: variables, quotes, escapes, comments, directives, what is refused.

Dockerfile reference: "Format", "Escape", "Environment replacement", "ARG".
"""

from __future__ import annotations

from tests.conformance.case import Case


def _label(
    name: str, *lines: str, refused: str | None = None, differs: str | None = None, **build_args: str
) -> Case:
    """Return a case whose LABELs show what words become."""
    text = "\n".join(["FROM @base", "ENV A=abc.tar.gz EMPTY= P=/usr/lib/x.so S='a b'", *lines]) + "\n"
    return Case(f"words-{name}", text, refused=refused, differs=differs, build_args=build_args)


def _refused(name: str, text: str, words: str) -> Case:
    return Case(f"refused-{name}", text, refused=words)


def _text(name: str, text: str) -> Case:
    return Case(f"text-{name}", text)


def _bad(name: str, line: str, words: str) -> Case:
    return _refused(name, f"FROM @base\n{line}\n", words)


EXPANSION = [
    _label("plain", "LABEL a=$A b=${A} c=x${A}y d=$Ax e=$A.x f=${A}$P g=$ h=$$ i=$1 j='$A' k=\"$A\""),
    _label(
        "default",
        "LABEL a=${A:-d} b=${NO:-d} c=${EMPTY:-d} d=${NO-d} e=${EMPTY-d} f=${NO:-$A} g=${NO:-${P:-x}}",
    ),
    _label("alternative", "LABEL a=${A:+d} b=${NO:+d} c=${EMPTY:+d} d=${EMPTY+d} e=${NO+d} f=${A:+$P}"),
    _label("prefix", "LABEL a=${A#a*.} b=${A##*.} c=${P#*/} d=${P##*/} e=${A#x} f=${A#?}"),
    _label("suffix", "LABEL a=${A%.*} b=${A%%.*} c=${P%/*} d=${P%%/*} e=${A%x} f=${A%?}"),
    _label("replace", "LABEL a=${A/./-} b=${A//./-} c=${A/x/y} d=${P//\\//:} e=${A/a/} f=${A//[a-c]/x}"),
    _label("error-form", "LABEL a=${A:?no} b=${A?no} c=${EMPTY?no}"),
    _label(
        "error-arg-given",
        "ARG V=${V:?no}",
        "ARG W=${NO:?no} X=x${X}",
        "LABEL a=$V$W$X",
        differs="arg-default",
        V="v",
        W="w",
        X="x",
    ),
    _label("error-arg", "ARG V=${V:?need}", "LABEL a=$V", refused="need"),
    _label("error-unset", "LABEL a=${NO:?missing-here}", refused="missing-here"),
    _label("error-empty", "LABEL a=${EMPTY:?empty-here}", refused="empty-here"),
    _label("error-unset-2", "LABEL a=${NO?unset-here}", refused="unset-here"),
    _label("unclosed", "LABEL a=${A", refused="${A"),
    _label("bad-modifier", "LABEL a=${A:x}", refused=":x"),
    _label("bad-name", "LABEL a=${}", refused="${}"),
    _label(
        "escaped", 'LABEL a=\\$A b=\\${A} c="\\$A" d=\'\\$A\' e=\\\\$A f=a\\ b g="a\\"b" h=\'a\\"b\' i=\\n'
    ),
    _label("quotes", 'LABEL a="x y" b=\'x y\' c=x"y z"\'u v\' d="it\'s" e=\'say "x"\' f="" g=\'\''),
    _label("quote-unclosed", 'LABEL a="x', refused="quote"),
    _label("spaces", "LABEL  a=1   b=2\tc=3  ", "LABEL d=$S e=\"$S\" f='$S'"),
    _label("old-form", "LABEL a some  words  here", "ENV OLD some $A  words", 'ENV Q "quoted  words"'),
    _label("env-same-line", "ENV X=1 Y=$X", "ENV Z=$X W=${Y:-none}", "LABEL z=$Z w=$W y=$Y"),
    _label("env-order", "ENV X=1", "ENV A=2", "ENV Y=3", "ENV X=4"),
    _label("arg-default-uses-env", "ARG V=$A", "ARG W=${V}-x", "LABEL v=$V w=$W"),
    _label("arg-quoted", "ARG V='a b'", 'ARG W="$V c"', "LABEL v=$V w=$W"),
    _label("arg-redefined", "ARG V=1", "LABEL a=$V", "ARG V=2", "LABEL b=$V"),
    _label("arg-reset", "ARG V=1", "ARG V", "LABEL b=$V"),
    _label("arg-given-empty", "ARG V=1", "LABEL b=x$V", V=""),
    _label("arg-unknown-given", "LABEL b=x$V", V="1"),
    _label("arg-case", "ARG v=1", "ARG V=2", "LABEL a=$v b=$V"),
    _label("env-equals", 'ENV X=a=b=c Y="="', "LABEL x=$X"),
    _label("label-key-expands", 'LABEL $A=1 "${P}"=2'),
    _label("env-key-expands", "ENV K=NAME", "ENV $K=1"),
    _label("not-in-cmd", "CMD echo $A", 'ENTRYPOINT ["echo", "$A"]'),
    _label("in-user-workdir", "ENV U=ann D=/d", "USER $U:${U}", "WORKDIR $D/${NO:-x}"),
    _label(
        "in-expose-volume-stop",
        "ENV N=80 V=/v G=SIGTERM",
        "EXPOSE $N ${N}-82/udp",
        "VOLUME $V/a ${V}",
        "STOPSIGNAL $G",
    ),
    _label("in-expose-words", "ENV N='80 81'", "EXPOSE $N"),
    _label("not-in-shell", 'SHELL ["/bin/sh", "$A", "-c"]', "CMD x"),
    _label("not-in-healthcheck", "HEALTHCHECK CMD echo $A", "ONBUILD LABEL a=$A"),
    _label("unicode", "ENV Ü=1", "LABEL ü=$Ü 漢=字"),
]

EMPTY = [
    _text("empty-cmd", "FROM @base\nCMD a\nCMD\n"),
    _text("empty-cmd-json", "FROM @rich\nCMD []\n"),
    _text("empty-entrypoint", "FROM @rich\nENTRYPOINT\n"),
    _text("empty-entrypoint-json", "FROM @rich\nENTRYPOINT []\n"),
    _text("empty-run", "FROM @base\nRUN\n"),
    _text("empty-run-continued", "FROM @base\nRUN \\\n\n# nothing\n"),
    _text("empty-run-flag", "FROM @base\nRUN --mount=type=tmpfs,target=/m\n"),
    _text("empty-onbuild", "FROM @base\nONBUILD RUN\nONBUILD CMD\n"),
    _bad("empty-run-json", "RUN []", "RUN"),
    _bad("empty-run-word", 'RUN [""]', "exit code"),
]

LINES = [
    _text("comments", "# first\n  # second\nFROM @base\n# third\nLABEL a=b\n#last"),
    _text("comment-in-continuation", "FROM @base\nLABEL a=b \\\n# comment\n  c=d \\\n\n  e=f\n"),
    _text("no-newline-at-end", "FROM @base\nLABEL a=b"),
    _text("crlf", "FROM @base\r\nLABEL a=b \\\r\n  c=d\r\nRUN echo x > /tmp/f\r\n"),
    _text("bom", "\ufeffFROM @base\nLABEL a=b\n"),
    _text("lower-case", "from @base as x\nenv A=1\nlabel a=$A\nrun echo 1 > /tmp/f\ncopy <<x /tmp/\nx\n"),
    _text("indented", "  FROM @base\n\tLABEL a=b\n"),
    _text("blank-lines", "\n\n\nFROM @base\n\n\nLABEL a=b\n\n"),
    _text(
        "escape-directive", "# escape=`\nFROM @base\nLABEL a=`$x b=x`\n  c=\\d\nRUN echo a `\n  b > /tmp/f\n"
    ),
    _text("escape-directive-late", "# a comment\n# escape=`\nFROM @base\nLABEL a=b \\\n  c=d\n"),
    _text("escape-at-end", "FROM @base\nLABEL a=b \\"),
    _text("escape-space", "FROM @base\nLABEL a=b \\   \n  c=d\n"),
    _text("escape-in-word", "FROM @base\nLABEL a=b\\\nc\n"),
    _text("unknown-directive", "# nothing=here\nFROM @base\nLABEL a=b\n"),
    _text("tabs-between", "FROM\t@base\nLABEL\ta=b\tc=d\n"),
    _text("json-spaces", 'FROM @base\nCMD   [ "a" ,\t"b" ]  \nENTRYPOINT ["x"\\\n,"y"]\n'),
    _text("json-escapes", 'FROM @base\nCMD ["\\u00fc", "a\\\\b", "\\n", "\\/"]\n'),
    _text("json-bad-is-shell", "FROM @base\nCMD ['a', 'b']\nENTRYPOINT ['x', 1]\n"),
    _bad("json-number", 'CMD ["a", 1]', "JSON"),
    _bad("json-nested", 'CMD ["a", ["b"]]', "JSON"),
    _bad("comment-after-label", "LABEL a=b # no comment", "#"),
    _text("json-unclosed-is-shell", 'FROM @base\nCMD ["a", "b"\n'),
    _text(
        "history-controls",
        'FROM @base\nRUN printf \'a\\tb\' > /tmp/f; : \u00e9 \u6f22\nCMD ["\\u0001", "\\u00e9", "\\u6f22"]\n',
    ),
    _text("long-line", "FROM @base\nLABEL a=" + "x" * 20000 + "\n"),
]

REFUSED = [
    _refused("empty", "", "instruction"),
    _refused("only-comments", "# nothing\n", "instruction"),
    _refused("no-from", "RUN true\n", "FROM"),
    _refused("only-arg", "ARG A=1\n", "FROM"),
    _bad("unknown", "NOTHING x", "NOTHING"),
    _bad("env-one-word", "ENV A", "ENV"),
    _bad("env-no-name", "ENV =x", "name"),
    _bad("env-mixed", "ENV A=1 B", "B"),
    _bad("env-none", "ENV", "ENV"),
    _bad("label-none", "LABEL", "LABEL"),
    _bad("label-no-name", "LABEL =x", "name"),
    _bad("arg-none", "ARG", "ARG"),
    _bad("arg-no-name", "ARG =x", "name"),
    _bad("expose-none", "EXPOSE", "EXPOSE"),
    _bad("expose-word", "EXPOSE http", "http"),
    _bad("expose-protocol", "EXPOSE 80/icmp", "icmp"),
    _bad("expose-big", "EXPOSE 70000", "70000"),
    _bad("expose-backwards", "EXPOSE 90-80", "90-80"),
    _bad("volume-none", "VOLUME", "VOLUME"),
    _bad("volume-empty", 'VOLUME [""]', "VOLUME"),
    _bad("stopsignal-none", "STOPSIGNAL", "STOPSIGNAL"),
    _bad("stopsignal-unknown", "STOPSIGNAL NOTHING", "NOTHING"),
    _bad("shell-no-json", "SHELL /bin/sh -c", "SHELL"),
    _bad("shell-empty", "SHELL []", "SHELL"),
    _bad("healthcheck-none", "HEALTHCHECK", "HEALTHCHECK"),
    _bad("healthcheck-word", "HEALTHCHECK true", "true"),
    _bad("healthcheck-no-command", "HEALTHCHECK CMD", "HEALTHCHECK"),
    _bad("healthcheck-flag", "HEALTHCHECK --nothing=1 CMD true", "--nothing"),
    _bad("healthcheck-interval", "HEALTHCHECK --interval=soon CMD true", "soon"),
    _bad("healthcheck-short", "HEALTHCHECK --interval=1ns CMD true", "interval"),
    _bad("healthcheck-retries", "HEALTHCHECK --retries=-1 CMD true", "retries"),
    _bad("healthcheck-none-and-more", "HEALTHCHECK NONE true", "NONE"),
    _bad("maintainer-none", "MAINTAINER", "MAINTAINER"),
    _bad(
        "from-missing-image",
        "FROM dockerlab/test-conformance-nothing:1",
        "dockerlab/test-conformance-nothing",
    ),
    _bad("add-none", "ADD", "ADD"),
    _bad("user-none", "USER", "USER"),
    _refused("from-bad-name", "FROM UPPER:case\n", "UPPER"),
    _refused("from-flag", "FROM --nothing=1 @base\n", "--nothing"),
]

CASES = [*EXPANSION, *EMPTY, *LINES, *REFUSED]
