"""RUN (Dockerfile reference, "RUN"): what it leaves in its layer, in both sandboxes."""

from __future__ import annotations

from tests.conformance.case import Case


def _run(name: str, *lines: str, refused: str | None = None) -> Case:
    return Case(f"run-{name}", "\n".join(["FROM @base", *lines]) + "\n", refused=refused)


CASES = [
    _run("nothing", "RUN true"),
    _run("new-file", "RUN echo hi > /tmp/f"),
    _run("rm", "RUN rm /var/full/one"),
    _run("rm-folder", "RUN rm -r /var/full"),
    _run("rm-and-mkdir", "RUN rm -r /var/full && mkdir /var/full && echo > /var/full/new"),
    _run("chmod", "RUN chmod 600 /var/full/one"),
    _run("chown", "RUN chown ann:staff /var/full/one"),
    _run("mv-file", "RUN mv /var/full/two /var/full/moved"),
    _run("mv-folder", "RUN mv /var/full /var/moved"),
    _run("user", "USER ann", "RUN echo $HOME $(id -u) > ~/f"),
    _run("json", 'RUN ["/bin/sh", "-c", "echo json > /tmp/f"]'),
    _run("fails", "RUN exit 3", refused="3"),
]
