"""Where the embedded builder knowingly differs from BuildKit; docs/differences.md holds the same table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .daemon import Docker

BOTH: tuple[Docker, ...] = ("28.5", "26.1")
NEW: tuple[Docker, ...] = ("28.5",)
OLD: tuple[Docker, ...] = ("26.1",)
AS_HERE = "as the embedded builder"


@dataclass(frozen=True)
class Difference:
    """One known difference. `words` is a pattern that every difference found in its cases must match."""

    what: str
    buildkit: str  # of Docker 28.5
    ours: str
    why: str
    words: str
    sandboxes: tuple[str, ...] = ("namespaces", "rootless", "proot")
    old: str = "the same"  # what BuildKit of Docker 26.1 does
    dockers: tuple[Docker, ...] = BOTH  # that differ
    anywhere: bool = False  # it may show in any case, not only in those that name it

    def shows(self, docker: Docker, sandbox: str) -> bool:
        """Tell whether it is there beside this Docker, in this sandbox."""
        return docker in self.dockers and sandbox in self.sandboxes

    def unexplained(self, found: Sequence[str]) -> list[str]:
        """Return what this difference does not account for."""
        return [words for words in found if not re.search(self.words, words)]


KNOWN: Mapping[str, Difference] = {
    "proot-modes": Difference(
        what="Permission to write, under proot",
        buildkit="a USER other than root may not write where the modes do not let it",
        ours="may (the namespaces sandbox does as BuildKit)",
        why="under proot every file is the host user's; modes and owners in the layer are right all the same",
        words=r"ours builds it, BuildKit refuses: (.|\n)*Permission denied",
        sandboxes=("proot",),
    ),
    "proot-seen": Difference(
        what="Owners as a command sees them, under proot (`stat`, `cp -a`, busybox's `chown USER`, `/proc`)",
        buildkit="the true ones",
        ours="the RUN's user; what a command then writes by them is in the layer",
        why="the files on disk are the host user's; the true owners are put in as the layer is written",
        words=": (uid|gid|size|content) ",
        sandboxes=("proot",),
    ),
    "proot-mv-back": Difference(
        what="A folder renamed and renamed back in one RUN, under proot",
        buildkit="stored whole: a rename between overlay's layers is a copy",
        ours="no change",
        why="on plain files it is none, and what is in the image is the same",
        words="^layer 2: var/full",
        sandboxes=("proot",),
    ),
    "no-setuid": Difference(
        what="Writing into a file with a set-user-ID or set-group-ID bit, when not root",
        buildkit="root keeps the bit",
        ours="it is gone",
        why="the kernel takes it away when an ordinary user writes; a `chmod` after that sets it again",
        words=r": mode [2-7]\d{3} in BuildKit's, 0\d{3} in ours",
        sandboxes=("rootless", "proot"),
    ),
    "no-devices": Difference(
        what="`mknod` of a device, in a user namespace",
        buildkit="the device",
        ours="refused; a device of a layer below stays one",
        why="the kernel lets nobody make one there",
        words=r"BuildKit builds it, ours refuses: (.|\n)*mknod: .*Operation not permitted",
        sandboxes=("rootless",),
    ),
    "proot-setgid": Difference(
        what="A folder copied (`cp -r`) into one with the set-group-ID bit, under proot",
        buildkit="the files in it get the group of that folder",
        ours="the RUN's group, the copied folder itself has the right one",
        why="cp takes the bit off its new folder at the end, and then nothing shows that it was there",
        words=": gid 50 in BuildKit's, 0 in ours",
        sandboxes=("proot",),
    ),
    "proot-same-mode": Difference(
        what="`chmod` to the mode that is there, where it keeps the owner out (`444`, `555`), under proot",
        buildkit="stored again",
        ours="no change",
        why="proot opens such files for a while for a RUN as root: that alone is no change",
        words=r"^layer 3: srv(/app)? \(dir\) is missing in ours",
        sandboxes=("proot",),
    ),
    "proot-read-only": Difference(
        what="Read-only mounts (`--mount=type=bind`, `ro`), under proot",
        buildkit="writing fails",
        ours="writing works, and is thrown away with the mount's copy",
        why="proot has no read-only binds",
        words=r"ours builds it, BuildKit refuses: (.|\n)*Read-only file system",
        sandboxes=("proot",),
    ),
    "proot-pid": Difference(
        what="The process number of a RUN's shell, under proot",
        buildkit="1, which not even `kill -9` reaches from inside",
        ours="one of the host's",
        why="there is no pid namespace",
        words="tmp/f: (size|content)|BuildKit builds it, ours refuses: .*kill -9",
        sandboxes=("proot",),
    ),
    "proot-groups": Difference(
        what="Supplementary groups (`id -G`), under proot",
        buildkit="those of /etc/group in the image",
        ours="the USER's own group alone, or the host user's",
        why="a process without privileges cannot take on groups",
        words="tmp/f: (size|content)",
        sandboxes=("proot",),
    ),
    "proot-host": Difference(
        what="The host's name, `/etc/hosts` and the size of a tmpfs, under proot",
        buildkit="`buildkitsandbox` or BUILDKIT_SANDBOX_HOSTNAME, that name, the size asked for",
        ours="this machine's, the image's, no bound",
        why="they are the kernel's to change, and an ordinary user may not",
        words="tmp/[fg](: (size|content)| [(]file[)])",
        sandboxes=("proot",),
    ),
    "proot-mount-points": Difference(
        what="Places for mounts that the image lacks, under proot",
        buildkit="`/dev`, `/proc`, `/sys` stay in the layer; so does the folder a place was removed from",
        ours="no trace",
        why="under proot nothing is mounted; what a container sees is the same",
        words=r"^layer \d: [a-z/]+ \(dir\) is missing in ours",
        sandboxes=("proot",),
    ),
    "proot-shebang": Difference(
        what="A script whose `#!` line ends in a carriage return (a file with CRLF), under proot",
        buildkit="not found: the carriage return is part of the interpreter's name",
        ours="runs",
        why="proot itself takes it for the end of the line",
        words="ours builds it, BuildKit refuses: (.|\n)*not found",
        sandboxes=("proot",),
    ),
    "latin-names": Difference(
        what="A file of the context that a COPY or a mount names, and whose name is not UTF-8",
        buildkit="refused: the name does not fit the messages between client and daemon",
        ours="built, the name as it is",
        why="a file system takes any bytes; a RUN, or ADD of an archive, makes such names in both",
        words="ours builds it, BuildKit refuses: .*(not UTF-8|INTERNAL_ERROR)",
    ),
    "onbuild-from": Difference(
        what="`ONBUILD COPY --from=STAGE` of a stage in the same Dockerfile",
        buildkit=AS_HERE,
        old="refuses it",
        dockers=OLD,
        ours="builds that stage and copies from it",
        why="it is what the line says",
        words="ours builds it, BuildKit refuses: .*cannot copy from stage",
    ),
    "onbuild-unread": Difference(
        what="`ONBUILD` of something that is no instruction",
        buildkit="kept as it is; the build that begins with the image fails",
        ours="refused with its line",
        why="here is where it can be mended",
        dockers=NEW,
        words="^BuildKit builds it, ours refuses: .*unknown instruction",
    ),
    "latin-text": Difference(
        what="Bytes that are not UTF-8 in an instruction",
        buildkit="built, but for a RUN; in the config they are replaced",
        ours="refused with the line",
        why="an image's config is JSON, which has no such bytes",
        dockers=NEW,
        words="^BuildKit builds it, ours refuses: .*not UTF-8",
    ),
    "arg-default": Difference(
        what="The default of an ARG whose value is given: `ARG V=${V:?needed}`",
        buildkit=AS_HERE,
        old="worked out, and refused",
        dockers=OLD,
        ours="not looked at",
        why="it is what BuildKit does now",
        words="ours builds it, BuildKit refuses: .*failed to process",
    ),
    "parents": Difference(
        what="`COPY --parents`",
        buildkit="refused without `# syntax=docker/dockerfile:1`",
        ours="done",
        why="it is in the Dockerfile reference, from 1.20 on",
        words="ours builds it, BuildKit refuses: .*unknown flag",
    ),
    "newer": Difference(
        what="`COPY --exclude`, `ADD --unpack`, `--mount=type=secret,env=`, `--mount=type=tmpfs,size=`",
        buildkit=AS_HERE,
        old="refuses the first three, ignores the last",
        dockers=OLD,
        ours="done",
        why="they came with later versions of the Dockerfile syntax",
        words="ours builds it, BuildKit refuses: .*(unknown flag|unexpected key)|: (size|content) ",
    ),
    "json-text": Difference(
        what='Text after a JSON form: `CMD ["a"] b`, `RUN ["a"] && b`',
        buildkit=AS_HERE,
        old="ignores the text",
        dockers=OLD,
        ours="makes it the shell form, brackets and all",
        why="it is what BuildKit does now",
        words="^BuildKit builds it, ours refuses: |^(config|layer|history row)",
    ),
    "chmod": Difference(
        what="`--chmod` of something that is no octal number: `--chmod=$MODE`, `--chmod=u+x`",
        buildkit=AS_HERE,
        old="ignores the flag",
        dockers=OLD,
        ours="the variable is put in; changes such as `u+x,go=rX` are done to the mode of each file",
        why="a flag that is ignored in silence teaches nothing",
        words="--chmod|: mode ",
    ),
    "chmod-parents": Difference(
        what="`COPY --chmod=700` to a folder that is not there",
        buildkit=AS_HERE,
        old="it gets mode 0755",
        dockers=OLD,
        ours="the folders made on the way get the mode too, as mkdir with the umask 022 gives it",
        why="it is what BuildKit does now",
        words=r"^(second build: )?layer \d: [a-z/]+: mode [02]755 in BuildKit's",
    ),
    "history-words": Difference(
        what="What the history says of `ARG`, `EXPOSE` and of a `RUN` below an `ARG`",
        buildkit=AS_HERE,
        old="`ARG A` where a value was given, `EXPOSE map[80/tcp:{}]`, an ARG for each line that declares it",
        dockers=OLD,
        ours="`ARG A=value`, `EXPOSE [80/tcp]`, each ARG once, those of the stages below too",
        why="it is what BuildKit writes now",
        words=r"^(second build: )?history row \d+: \('(ARG |EXPOSE map\[|RUN )",
        anywhere=True,
    ),
    "add-owner": Difference(
        what="`ADD --chown` of an archive; the folders it implies, below one with the set-group-ID bit",
        buildkit=AS_HERE,
        old="only the folder made for it; they get the bit too, and group 0",
        dockers=OLD,
        ours="every member gets the owner; they get that group and not the bit",
        why="it is what BuildKit does now",
        words=": (uid|gid|mode) ",
    ),
    "folders-for-files": Difference(
        what="A folder in the place of `/etc/passwd` or `/etc/group`, and a RUN",
        buildkit=AS_HERE,
        old="fails",
        dockers=OLD,
        ours="counts as one without users",
        why="it is what runc does now",
        words=r"ours builds it, BuildKit refuses: (.|\n)*is a directory",
    ),
    "target-stage": Difference(
        what="`ARG TARGETSTAGE`",
        buildkit=AS_HERE,
        old="empty",
        dockers=OLD,
        ours='the target, else the name of the last stage, "default" where that has none',
        why="it is what BuildKit does now",
        words=": (size|content) |: TARGETSTAGE",
    ),
    "glob-link": Difference(
        what="A symlink in a folder that a wildcard names",
        buildkit=AS_HERE,
        old="followed: the build fails where it leads nowhere, or to what no COPY names; "
        "what it leads to counts for the cache",
        dockers=OLD,
        ours="copied as it is; the cache goes by where it points",
        why="it is what BuildKit does now",
        words="ours builds it, BuildKit refuses: .*is not in "
        r"|^second build: cached: BuildKit .*COPY done.*ours .*COPY cached",
    ),
    "cache-from": Difference(
        what="`--mount=type=cache,from=` in a build without the cache",
        buildkit=AS_HERE,
        old="has what the build before left",
        dockers=OLD,
        ours="starts with what `from=` holds",
        why="it is what BuildKit does now",
        words="tmp/f: (size|content)",
    ),
    "workdir-scratch": Difference(
        what="A cached `WORKDIR` that a stage from `scratch` begins with",
        buildkit="not told as cached when a later step is, though it is not done again",
        ours="told as cached",
        why="it is",
        words=r"^second build: cached: BuildKit \['0 WORKDIR done', '0 COPY cached",
    ),
    "glob-retarget": Difference(
        what="A symlink below a wildcard, turned to another file of the same content",
        buildkit=AS_HERE,
        old="COPY comes from the cache, with the old link",
        dockers=OLD,
        ours="done again",
        why="the image would not be what the context is",
        words="^second build: cached: |^second build: layer 3: x/(src/)?l: link ",
    ),
    "epoch-workdir": Difference(
        what="`SOURCE_DATE_EPOCH` and the folder that a `WORKDIR` makes",
        buildkit=AS_HERE,
        old="has the time of the build, and a change of the date is no miss",
        dockers=OLD,
        ours="has that date, which its cache key covers",
        why="it is what BuildKit does now",
        words="^second build: cached: |: mtime ",
    ),
    "epoch-files": Difference(
        what="`SOURCE_DATE_EPOCH`: the times of files in the build's own layers",
        buildkit="kept, unless its exporter is given `rewrite-timestamp=true`",
        ours="none is later than it",
        why="so that the same inputs give the same digests; the dates of image and history are as BuildKit's",
        words=": mtime ",
    ),
    "link": Difference(
        what="`COPY --link`: what of the layers below counts",
        buildkit="a Docker daemon without the containerd store copies as if `--link` were not there",
        ours="nothing: no symlink followed, no folder's mode kept, cached when they change",
        why="it is what `--link` means, and what BuildKit does where it can",
        words="^layer 2: var/|^second build: cached: ",
    ),
}


def table() -> str:
    """Return the table of docs/differences.md."""
    rows = [
        "| What | BuildKit of Docker 28.5 | of Docker 26.1 | Embedded builder | Why |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {one.what} | {one.buildkit} | {one.old} | {one.ours} | {one.why} |" for one in KNOWN.values()
    ]
    return "\n".join(rows) + "\n"
