"""Where the embedded builder knowingly differs from BuildKit; docs/differences.md holds the same table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One known difference. `words` is a pattern that every difference found in its cases must match."""

    what: str
    buildkit: str
    ours: str
    why: str
    words: str
    sandboxes: tuple[str, ...] = ("namespaces", "proot")

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
    "proot-setuid": Difference(
        what="Writing into a file with a set-user-ID or set-group-ID bit, under proot when not root",
        buildkit="root keeps the bit",
        ours="it is gone",
        why="the kernel takes it away when an ordinary user writes; a `chmod` after that sets it again",
        words=r": mode [2-7]\d{3} in BuildKit's, 0\d{3} in ours",
        sandboxes=("proot",),
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
        buildkit="0.13 refuses it",
        ours="builds that stage and copies from it",
        why="it is what the line says",
        words="ours builds it, BuildKit refuses: .*cannot copy from stage",
    ),
    "newer": Difference(
        what="`COPY --parents`, `COPY --exclude`, `--mount=type=secret,env=`",
        buildkit="0.13 refuses them; later frontends have them",
        ours="does them",
        why="learners meet them on today's Docker",
        words="ours builds it, BuildKit refuses: .*(unknown flag|unexpected key)",
    ),
    "chmod": Difference(
        what="`--chmod` of something that is no octal number: `--chmod=$MODE`, `--chmod=u+x`",
        buildkit="0.13 ignores the flag; later ones put in the variable, and refuse what is then no number",
        ours="as later ones",
        why="a flag that is ignored in silence teaches nothing",
        words="--chmod|: mode ",
    ),
    "glob-link": Difference(
        what="A wildcard over a folder with a symlink to a file that no COPY of the Dockerfile names",
        buildkit="refused: it sends only what is named, then follows the link and finds nothing",
        ours="built",
        why="every file of the context is at hand here; a link that leads nowhere at all is refused by both",
        words="ours builds it, BuildKit refuses: .*is not in the build context",
    ),
    "glob-own-base": Difference(
        what="`COPY --from=STAGE` of a wildcard over a dangling symlink, in a stage `FROM` that STAGE",
        buildkit="built; refused from any other stage and from the context",
        ours="refused as there",
        why="one rule for all",
        words="^BuildKit builds it, ours refuses: .*is not in stage",
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
        buildkit="COPY comes from the cache, with the old link",
        ours="done again",
        why="the image would not be what the context is",
        words="^second build: cached: |^second build: layer 3: x/(src/)?l: link ",
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
    rows = ["| What | BuildKit | Embedded builder | Why |", "|---|---|---|---|"]
    rows += [f"| {one.what} | {one.buildkit} | {one.ours} | {one.why} |" for one in KNOWN.values()]
    return "\n".join(rows) + "\n"
