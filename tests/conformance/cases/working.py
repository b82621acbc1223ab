"""WORKDIR, USER and HOME (Dockerfile reference, "WORKDIR", "USER")."""

from __future__ import annotations

from tests.conformance.case import Case


def _work(
    name: str, *lines: str, base: str = "@base", refused: str | None = None, differs: str | None = None
) -> Case:
    text = "\n".join([f"FROM {base}", *lines]) + "\n"
    return Case(f"work-{name}", text, refused=refused, differs=differs)


CASES = [
    _work("new", "WORKDIR /a/b/c"),
    _work("existing", "WORKDIR /srv/app"),
    _work("root", "WORKDIR /", "COPY <<EOF f", "1", "EOF"),
    _work("relative", "WORKDIR /srv", "WORKDIR app", "WORKDIR ../other/./x"),
    _work("relative-first", "WORKDIR a/b"),
    _work("trailing-slash", "WORKDIR /a/b/"),
    _work("spaces", "WORKDIR /a b/c"),
    _work("quoted", 'WORKDIR "/a b/c"'),
    _work("json-is-no-json", 'WORKDIR ["/a"]'),
    _work("variable", "ENV A=/a", "ARG B=b", "WORKDIR $A/${B}/$C"),
    _work("empty-variable", "WORKDIR $NOTHING"),
    _work("dots", "WORKDIR /srv/../a//b/./c", "WORKDIR ../d/", "RUN pwd > /tmp/f"),
    _work("double-slash", "WORKDIR //", "WORKDIR /.", "WORKDIR /srv/.."),
    _work("user-number", "USER 1000", "WORKDIR /a/b"),
    _work("user-number-group", "USER 1000:50", "WORKDIR /a/b"),
    _work("user-name", "USER ann", "WORKDIR /a/b"),
    _work("user-name-group", "USER ann:staff", "WORKDIR /a/b"),
    _work("user-unknown", "USER nobodyknows", "WORKDIR /a/b"),
    _work("user-unknown-group", "USER ann:nogroup", "WORKDIR /a/b"),
    _work("user-existing", "USER ann", "WORKDIR /srv/app"),
    _work("user-on-scratch", "USER ann", "WORKDIR /a", base="scratch", refused="ann"),
    _work("user-number-on-scratch", "USER 7:8", "WORKDIR /a", base="scratch"),
    _work("symlink", "WORKDIR /var/to-folder", "COPY <<EOF f", "1", "EOF"),
    _work("below-symlink", "WORKDIR /var/to-folder/new", "RUN pwd > f"),
    _work("circle", "RUN ln -s /b /a && ln -s /a /b", "WORKDIR /a/x", refused="circle"),
    _work("dangling-symlink", "WORKDIR /var/to-nothing"),
    _work("on-file", "WORKDIR /var/full/one", refused="/var/full/one"),
    _work("below-file", "WORKDIR /var/full/one/x", refused="/var/full/one"),
    _work("in-setgid", "WORKDIR /var/full/new", "USER ann", "WORKDIR /var/full/other"),
    _work("scratch", "WORKDIR /a", "WORKDIR /a", "WORKDIR /", base="scratch"),
    _work("run-in-it", "WORKDIR /a/b", "RUN pwd > f && echo $PWD >> f"),
    _work("removed", "WORKDIR /a", "RUN rmdir /a && cd / && true", "RUN pwd > /tmp/f"),
    _work("base", "RUN pwd > /tmp/f", "WORKDIR sub", base="@rich"),
    _work("arg-user", "ARG WHO=bob", "USER $WHO", "WORKDIR /w", "RUN id -u > /tmp/f; touch /w/mine"),
    _work("home-root", "RUN echo $HOME > /tmp/f"),
    _work("home-user", "USER ann", "RUN echo $HOME $USER > /tmp/f && touch ~/f"),
    _work("home-uid", "USER 1000", "RUN echo $HOME > /tmp/f"),
    _work("home-missing", "USER homeless", "RUN echo $HOME > /tmp/f"),
    _work("home-unknown-uid", "USER 4242", "RUN echo $HOME > /tmp/f; id -u >> /tmp/f"),
    _work("home-env", "ENV HOME=/srv", "USER ann", "RUN echo $HOME > /tmp/f"),
    _work("user-ids", "USER bob", "RUN id -g > /tmp/f && touch /home/bob/f && mkdir /home/bob/d"),
    _work("user-group", "USER bob:staff", "RUN id -g > /tmp/f && touch /home/bob/f"),
    _work("user-gid", "USER 1000:77", "RUN id -g > /tmp/f"),
    _work("user-groups", "USER ann", "RUN id -G > /tmp/f", differs="proot-groups"),
    _work("user-run-unknown", "USER nobodyknows", "RUN true", refused="nobodyknows"),
    _work("user-run-unknown-group", "USER ann:nogroup", "RUN true", refused="nogroup"),
    _work("user-back", "USER ann", "RUN touch /tmp/a", "USER root", "RUN touch /tmp/b && chown 5:6 /tmp/a"),
    _work(
        "user-new",
        "RUN echo eve:x:2000:2000::/tmp:/bin/sh >> /etc/passwd",
        "USER eve",
        "RUN touch ~/f; id -u > /tmp/id",
    ),
    _work("user-denied", "USER ann", "RUN touch /etc/mine", refused="exit code 1", differs="proot-modes"),
    _work("umask", "RUN umask > /tmp/f && mkdir /tmp/d && touch /tmp/g"),
    _work("user-empty", "USER", refused="USER"),
    _work("user-two-words", "USER ann bob"),
    _work("no-word", "WORKDIR", refused="WORKDIR"),
]
