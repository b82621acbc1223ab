"""Instructions that make no layer: config and history (Dockerfile reference, one section an instruction)."""

from __future__ import annotations

from tests.conformance.case import Again, Case


def _meta(name: str, *lines: str) -> Case:
    return Case(f"meta-{name}", "\n".join(["FROM @base", *lines]) + "\n")


CASES = [
    _meta("env", "ENV A=1 B=two", "ENV C three four", 'ENV D="five six" E=seven\\ eight'),
    _meta("env-replaced", "ENV A=1 B=2", "ENV A=3"),
    _meta("env-same-line", "ENV A=1", "ENV A=2 B=$A"),
    _meta("label", "LABEL a=b", 'LABEL "c d"="e f" g=h', "LABEL old form here"),
    _meta("expose", "EXPOSE 80", "EXPOSE 53/udp 443 8000-8002 80/TCP"),
    Case(
        "meta-json-text",
        'FROM @base\nCMD ["a", "b"] c\nENTRYPOINT ["e"] # f\nVOLUME ["/a"] /b\nHEALTHCHECK CMD ["h"] i\n'
        'COPY ["f","/x/"] y\n',
        {"f": "f\n"},
        differs="json-text",
    ),
    _meta("expose-twice", "EXPOSE 80 80/tcp 53/udp 80/TCP"),
    _meta("cmd-json", 'CMD ["a", "b c", "\\"q\\""]'),
    _meta("cmd-shell", "CMD echo $HOME && true"),
    _meta("cmd-empty", "CMD []"),
    _meta("entrypoint-json", 'ENTRYPOINT ["/e", "x"]', 'CMD ["y"]'),
    _meta("entrypoint-after-cmd", 'CMD ["y"]', 'ENTRYPOINT ["/e"]'),
    _meta("entrypoint-shell", "ENTRYPOINT exec top -b"),
    _meta("user", "USER 1000", "USER 1000:50", "USER ann:staff"),
    _meta("volume", "VOLUME /data", 'VOLUME ["/a", "/b c"]', "VOLUME /x /y"),
    _meta("stopsignal", "STOPSIGNAL SIGKILL"),
    _meta("stopsignal-number", "STOPSIGNAL 9"),
    _meta("healthcheck-json", 'HEALTHCHECK --interval=5m --timeout=3s --retries=4 CMD ["a", "b"]'),
    _meta("healthcheck-shell", "HEALTHCHECK --start-period=1m30s CMD curl -f http://localhost/ || exit 1"),
    _meta("healthcheck-none", "HEALTHCHECK CMD true", "HEALTHCHECK NONE"),
    _meta("healthcheck-retries-10", "HEALTHCHECK --retries=10 CMD true"),
    _meta("shell", 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]', "CMD echo hi"),
    _meta("onbuild", "ONBUILD RUN echo hi", "ONBUILD COPY . /app", 'ONBUILD CMD ["x"]'),
    _meta("maintainer", "MAINTAINER Ann <ann@example.org>"),
    _meta("arg", "ARG A", "ARG B=1", "ARG C=x D=y"),
    Case("meta-base-kept", "FROM @rich AS one\nLABEL who=me new=1\nENV SHARED=mine\n"),
    Case("meta-base-entrypoint-clears-cmd", 'FROM @rich\nENTRYPOINT ["/mine"]\n'),
    Case("meta-base-cmd", 'FROM @rich\nCMD ["mine"]\n'),
    Case("meta-base-shell", "FROM @rich\nCMD mine\n"),
    Case("meta-only", "FROM @base\nLABEL a=b\n", again=Again()),
]
