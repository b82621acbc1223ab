"""Several stages (Dockerfile reference, "FROM", "COPY --from"; Docker docs, "Multi-stage builds")."""

from __future__ import annotations

from tests.conformance.case import Case

FILES = {"a.txt": "a\n", "d/one": "1\n", "d/two": "2\n"}


def _stages(
    name: str,
    text: str,
    *,
    target: str | None = None,
    refused: str | None = None,
    differs: str | None = None,
    **args: str,
) -> Case:
    return Case(
        f"stage-{name}", text, FILES, build_args=args, target=target, refused=refused, differs=differs
    )


CASES = [
    _stages("name", "FROM @base AS one\nCOPY a.txt /x\nFROM @base\nCOPY --from=one /x /y\n"),
    _stages("name-case", "FROM @base AS One\nCOPY a.txt /x\nFROM @base\nCOPY --from=ONE /x /y\n"),
    _stages("index", "FROM @base\nCOPY a.txt /x\nFROM @base\nCOPY --from=0 /x /y\n"),
    _stages("base", "FROM @base AS one\nENV A=1\nCOPY a.txt /x\nFROM one\nLABEL b=$A\nCOPY d /z\n"),
    _stages(
        "args-inherited",
        "FROM @base AS one\nARG A=1\nENV B=2\nFROM one\nLABEL a=$A b=$B\nRUN echo $A $B > /tmp/f\n",
    ),
    _stages(
        "workdir-user-inherited",
        "FROM @base AS one\nWORKDIR /w\nUSER ann\nFROM one\nCOPY a.txt .\nRUN id -u > /tmp/f\n",
    ),
    _stages("shell-inherited", 'FROM @base AS one\nSHELL ["/bin/ash", "-ec"]\nFROM one\nRUN true\nCMD x\n'),
    _stages(
        "glob-of-own-base",
        "FROM @base AS one\nRUN mkdir /in && ln -s nowhere /in/l\nFROM one\nCOPY --from=one /i* /x/\n",
    ),
    _stages("from-image", "FROM @base\nCOPY --from=@rich /srv/app/over /x/\n"),
    _stages("from-image-folder", "FROM scratch\nCOPY --from=@base /var /v\n"),
    _stages("from-image-everything", "FROM scratch\nCOPY --from=@bare / /\n"),
    _stages(
        "from-image-symlinks",
        "FROM scratch\nCOPY --from=@base /var/to-folder /a\nCOPY --from=@base /var/to-file /b\n",
    ),
    _stages("from-image-applet", "FROM scratch\nCOPY --from=@base /bin/cat /bin/\n"),
    _stages("from-image-glob", "FROM scratch\nCOPY --from=@base /var/full/t* /etc/pass[wx]d /x/\n"),
    _stages(
        "from-relative",
        "FROM @base AS one\nWORKDIR /srv\nCOPY a.txt .\nFROM @base\nCOPY --from=one srv/a.txt ./\n",
    ),
    _stages("from-chown", "FROM @base AS one\nFROM scratch\nCOPY --from=one --chown=4:5 /home /h\n"),
    _stages("from-owners-kept", "FROM @base AS one\nFROM scratch\nCOPY --from=one /home /h\n"),
    _stages(
        "from-missing", "FROM @base AS one\nFROM scratch\nCOPY --from=one /nothing /h\n", refused="nothing"
    ),
    _stages("from-unknown", "FROM scratch\nCOPY --from=9 /a /b\n", refused="9"),
    _stages("from-itself", "FROM @base AS one\nCOPY --from=one /etc /b\n", refused="one"),
    _stages(
        "from-glob-dangling",
        "FROM @base AS one\nRUN mkdir /in && ln -s /no/where /in/l && touch /in/f\n"
        "FROM @base\nCOPY --from=one /in/* /x/\n",
        refused='"in/l", which /in/* takes in, is a symlink to "/no/where"',
    ),
    _stages(
        "from-glob-dangling-below",
        "FROM @base AS one\nRUN mkdir -p /in/d && ln -s ../no /in/d/l\n"
        "FROM @base\nCOPY --from=one /i*/d /x/\n",
        differs="glob-link",
    ),
    _stages(
        "from-removed",
        "FROM @base AS one\nRUN rm /var/full/one\nFROM scratch\nCOPY --from=one /var/full /f\n",
    ),
    _stages(
        "from-run",
        "FROM @base AS one\nRUN mkdir /o && echo 1 > /o/f && chown 7:8 /o/f && ln -s f /o/l; chmod 2711 /o\n"
        "FROM scratch\nCOPY --from=one /o /o\n",
    ),
    _stages(
        "from-hard-links",
        "FROM @base AS one\nRUN mkdir /o && echo 1 > /o/f && ln /o/f /o/g\n"
        "FROM scratch\nCOPY --from=one /o /o\n",
    ),
    _stages("unused", "FROM @base AS broken\nRUN false\nFROM @base\nCOPY a.txt /x\n"),
    _stages("target", "FROM @base AS one\nCOPY a.txt /x\nFROM @base AS two\nRUN false\n", target="one"),
    _stages("target-case", "FROM @base AS One\nCOPY a.txt /x\nFROM @base\nRUN false\n", target="ONE"),
    _stages("target-index", "FROM @base\nCOPY a.txt /x\nFROM @base\nRUN false\n", target="0", refused="0"),
    _stages("target-unknown", "FROM @base AS one\nCOPY a.txt /x\n", target="two", refused="two"),
    _stages(
        "target-middle",
        "FROM @base AS a\nCOPY a.txt /x\nFROM a AS b\nCOPY d /d\nFROM b\nRUN false\n",
        target="b",
    ),
    _stages(
        "diamond",
        "FROM @base AS a\nCOPY a.txt /x\n"
        "FROM a AS b\nRUN echo b > /b\n"
        "FROM a AS c\nRUN echo c > /c\n"
        "FROM scratch\nCOPY --from=b /b /x /\nCOPY --from=c /c /\n",
    ),
    _stages(
        "same-name",
        "FROM @base AS one\nCOPY a.txt /x\nFROM @base AS ONE\nCOPY d /y\nFROM one\nENV A=1\n",
    ),
    _stages(
        "same-name-copy",
        "FROM @base AS one\nCOPY a.txt /x\nFROM @base AS one\nCOPY d /y\nFROM @base\nCOPY --from=one /y /z\n",
    ),
    _stages(
        "same-name-target",
        "FROM @base AS one\nCOPY a.txt /x\nFROM @base AS one\nCOPY d /y\nFROM @base\n",
        target="one",
    ),
    _stages(
        "same-name-itself", "FROM @base AS one\nCOPY a.txt /x\nFROM one AS one\nCOPY d /y\n", target="one"
    ),
    _stages(
        "same-name-between",
        "FROM @base AS one\nCOPY a.txt /x\nFROM one AS two\nFROM @base AS one\nCOPY d /y\nFROM two\n",
    ),
    _stages("base-case", "FROM @base AS Base\nCOPY a.txt /x\nFROM base\nCOPY d /y\n"),
    _stages(
        "base-case-written", "FROM @base AS Base\nCOPY a.txt /x\nFROM Base\nCOPY d /y\n", refused='"base"'
    ),
    _stages("global-arg-need", "ARG A=${A:?need}\nFROM @base\nARG A\nLABEL a=$A\n", A="1"),
    _stages("global-arg-need-missing", "ARG A=${A:?need}\nFROM @base\n", refused="need"),
    _stages("name-bad", "FROM @base AS 1one\nCOPY a.txt /x\n", refused="1one"),
    _stages("name-context", "FROM @base AS context\nCOPY a.txt /x\n"),
    _stages("name-scratch", "FROM @base AS scratch\nCOPY a.txt /x\n"),
    _stages("as-lower", "from @base as one\ncopy a.txt /x\nfrom one\nlabel a=b\n"),
    _stages("from-words", "FROM @base one\n", refused="FROM"),
    _stages("from-nothing", "FROM\n", refused="FROM"),
    _stages("from-arg", "ARG WHAT=@base\nFROM $WHAT\nCOPY a.txt /x\n"),
    _stages("from-arg-given", "ARG WHAT=nothing\nFROM ${WHAT}\nCOPY a.txt /x\n", WHAT="@base"),
    _stages("from-arg-default-form", "ARG WHAT\nFROM ${WHAT:-@base}\nCOPY a.txt /x\n"),
    _stages("from-arg-empty", "ARG WHAT\nFROM $WHAT\n", refused="reference"),
    _stages(
        "from-arg-stage", "ARG V=one\nFROM @base AS stage-one\nCOPY a.txt /x\nFROM stage-$V\nCOPY d /d\n"
    ),
    _stages(
        "copy-from-arg", "ARG V=one\nFROM @base AS one\nFROM @base\nCOPY --from=$V /etc /b\n", refused="$V"
    ),
    _stages("global-arg-scope", "ARG A=1\nFROM @base\nLABEL before=$A\nARG A\nLABEL after=$A\n"),
    _stages("global-arg-given", "ARG A=1\nFROM @base\nARG A\nLABEL after=$A\n", A="2"),
    _stages("global-arg-local-default", "ARG A=1\nFROM @base\nARG A=3\nLABEL after=$A\n"),
    _stages("global-arg-uses-other", "ARG A=1\nARG B=x$A\nFROM @base\nARG B\nLABEL b=$B\n"),
    _stages(
        "platform-args",
        "FROM --platform=$BUILDPLATFORM @base\nARG TARGETARCH\nARG TARGETPLATFORM\nARG BUILDOS\n"
        "RUN echo $TARGETARCH $TARGETPLATFORM $BUILDOS > /tmp/f\n",
    ),
    _stages("platform-other", "FROM --platform=windows/amd64 @base\nRUN true\n", refused="windows"),
    _stages(
        "bind-from",
        "FROM @base AS one\nRUN echo 1 > /o\nFROM @base\nRUN --mount=from=one,target=/m cat /m/o > /tmp/f\n",
    ),
    _stages("bind-from-unused", "FROM @base AS one\nRUN false\nFROM @base\nRUN true\n"),
    _stages(
        "onbuild-in-file",
        "FROM @base AS one\nONBUILD RUN echo on > /tmp/on\nONBUILD COPY a.txt /x/\n"
        "FROM one\nRUN cat /tmp/on /x/a.txt > /tmp/both\n",
    ),
    _stages(
        "onbuild-twice",
        "FROM @base AS one\nONBUILD ENV A=1\nFROM one AS two\nLABEL a=$A\nFROM two\nLABEL b=$A\n",
    ),
    _stages(
        "onbuild-arg",
        "FROM @base AS one\nONBUILD ARG V=1\nONBUILD LABEL v=$V\nFROM one\nCOPY a.txt /x\n",
        V="2",
    ),
    _stages(
        "onbuild-copy-from",
        "FROM @base AS src\nCOPY a.txt /x\n"
        "FROM @base AS one\nONBUILD COPY --from=src /x /y\n"
        "FROM one\nCOPY d /d\n",
        differs="onbuild-from",
    ),
    _stages(
        "target-stage",
        "FROM @base AS one\nFROM @base AS Two\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /tmp/f\n",
        differs="target-stage",
    ),
    _stages(
        "target-stage-unnamed",
        "FROM @base AS one\nFROM @base\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /tmp/f\n",
        differs="target-stage",
    ),
    _stages(
        "target-stage-chosen",
        "FROM @base AS one\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /tmp/f\nFROM @base AS two\n",
        target="one",
        differs="target-stage",
    ),
    _stages(
        "platform-given",
        "FROM @base\nARG TARGETARCH\nARG TARGETPLATFORM\nRUN echo $TARGETARCH $TARGETPLATFORM > /tmp/f\n",
        TARGETARCH="of-mine",
    ),
    _stages(
        "platform-of-base",
        "FROM --platform=$BUILDPLATFORM @base\n",
        BUILDPLATFORM="linux/of-mine",
        refused="linux/of-mine",
    ),
    _stages("onbuild-onbuild", "FROM @base\nONBUILD ONBUILD RUN true\n", refused="ONBUILD"),
    _stages("onbuild-from", "FROM @base\nONBUILD FROM scratch\n", refused="FROM"),
    _stages("onbuild-empty", "FROM @base\nONBUILD\n", refused="ONBUILD"),
    _stages("onbuild-bad", "FROM @base\nONBUILD NOTHING x\n", refused="NOTHING", differs="onbuild-unread"),
    _stages("onbuild-of-image", "FROM @rich\nRUN cat /home/ann/triggered > /tmp/f\nLABEL t=$TRIGGERED\n"),
    _stages("onbuild-fails", "FROM @base AS one\nONBUILD RUN exit 4\nFROM one\nCOPY a.txt /x\n", refused="4"),
    _stages("scratch-stage", "FROM scratch AS one\nCOPY a.txt /x\nFROM scratch\nCOPY --from=one /x /y\n"),
    _stages("empty-stage", "FROM scratch AS one\nFROM @base\nCOPY --from=one / /y\n"),
    _stages(
        "from-empty-scratch-file", "FROM scratch AS one\nFROM @base\nCOPY --from=one /x /y\n", refused="/x"
    ),
]
