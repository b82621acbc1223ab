"""COPY (Dockerfile reference, "COPY"): sources, destinations, flags."""

from __future__ import annotations

from dockerlab.context.context import File
from tests.conformance.case import Case, Fifo, Folder, Hard, Item, Link, Sparse

TREE: dict[str, Item] = {
    "a.txt": "a @nonce\n",
    "b.txt": "b\n",
    "run.sh": File("#!/bin/sh\necho run\n", 0o755),
    "suid": File("s\n", 0o6755),
    "dir/one.txt": "one\n",
    "dir/two.md": "two\n",
    "dir/sub/three.txt": File("three\n", 0o600),
    "dir/empty": Folder(0o700),
    "dir/sticky": Folder(0o1777),
    "dir/link": Link("one.txt"),
    "dir/up": Link("../a.txt"),
    "to-file": Link("a.txt"),
    "to-dir": Link("dir"),
    "to-to-dir": Link("to-dir"),
    "full": Folder(0o700),
    "full/deep": Folder(0o711),
    "full/deep/new": "new\n",
    "full/one": "mine\n",
    ".hidden": "h\n",
}


LOST: dict[str, Item] = {
    "dangling": Link("nowhere"),
    "circle": Link("circle"),
    "outside": Link("../../../../../../../../etc/hostname"),
    "away": Link("/etc/passwd"),
    "in/dangling": Link("nowhere"),
    "in/file": "f\n",
    "root": Link("/in/file"),
}


def _copy(
    name: str,
    *lines: str,
    tree: dict[str, Item] = TREE,
    base: str = "@base",
    refused: str | None = None,
    mtimes: tuple[str, ...] = (),
    differs: str | None = None,
) -> Case:
    text = "\n".join([f"FROM {base}", *lines]) + "\n"
    return Case(f"copy-{name}", text, tree, refused=refused, mtimes=mtimes, differs=differs)


SHARED: dict[str, Item] = {
    "d/one": "1\n",
    "d/two": Hard("d/one"),
    "d/z": Hard("d/one"),
    "o/one": "other\n",
    "o/z": "other z\n",
}
CIRCLE = "RUN ln -s /b /a && ln -s /a /b"

DESTINATIONS = [
    _copy("over-first-name", "COPY d o/one /x/", tree=SHARED),
    _copy("over-last-name", "COPY d o/z /x/", tree=SHARED),
    _copy("over-two-names", "COPY d o /x/", tree=SHARED),
    _copy("over-all-names", "COPY d o o/one /x/two/", "COPY o/one /x/two/two", tree=SHARED),
    _copy("into-circle", CIRCLE, "COPY a.txt /a", refused="circle"),
    _copy("below-circle", CIRCLE, "COPY dir /a/x/", refused="circle"),
    _copy("file-to-folder", "COPY a.txt /tmp/", mtimes=("tmp/a.txt",)),
    _copy("file-to-name", "COPY a.txt /tmp/new"),
    _copy("file-to-new-folder", "COPY a.txt /new/deep/"),
    _copy("file-to-existing-folder-no-slash", "COPY a.txt /tmp"),
    _copy("file-over-file", "COPY a.txt /var/full/one"),
    _copy("file-over-hard-link", "COPY a.txt /var/second-name"),
    _copy("file-to-root", "COPY a.txt /"),
    _copy("file-over-file-with-slash", "COPY a.txt /var/full/one/", refused="/var/full/one"),
    _copy("file-below-a-file", "COPY a.txt /var/full/one/x", refused="/var/full/one"),
    _copy("relative", "WORKDIR /srv/app", "COPY a.txt .", "COPY b.txt ./", "COPY run.sh in/"),
    _copy("relative-name", "WORKDIR /srv/app", "COPY a.txt new"),
    _copy("relative-up", "WORKDIR /srv/app", "COPY a.txt ../new"),
    _copy("dots-in-destination", "COPY a.txt /srv/./app/../x/../y/"),
    _copy("double-slashes", "COPY a.txt //srv//app//"),
    _copy("destination-dot", "WORKDIR /srv/app", "COPY dir ."),
    _copy("into-symlink-folder", "COPY a.txt /var/to-folder/"),
    _copy("into-symlink-folder-no-slash", "COPY a.txt /var/to-folder"),
    _copy("below-symlink-folder", "COPY a.txt /var/to-folder/deep/x/"),
    _copy("folder-onto-symlink-folder", "COPY dir /var/to-folder"),
    _copy("folder-onto-symlink-folder-slash", "COPY dir /var/to-folder/"),
    _copy("onto-symlink-file", "COPY a.txt /var/to-file"),
    _copy("onto-dangling-symlink", "COPY a.txt /var/to-nothing"),
    _copy("into-dangling-symlink", "COPY a.txt /var/to-nothing/"),
    _copy("folder-onto-dangling-symlink", "COPY dir /var/to-nothing"),
    _copy("folder-onto-file", "COPY dir /var/full/one", refused="/var/full/one"),
    _copy("folder-over-existing", "COPY dir /var/full"),
    _copy("folder-over-its-like", "COPY full /var/full"),
    _copy("parent-over-existing", "COPY . /var/"),
    _copy("folder-where-a-file-is", "COPY dir/one.txt /x/sub", "COPY dir /x", refused="/x/sub"),
    _copy("file-where-a-folder-is", "COPY dir/sub /x/one.txt", "COPY dir /x", refused="/x/one.txt"),
    _copy("file-where-an-empty-folder-is", "COPY dir/empty /x/one.txt", "COPY dir /x", refused="/x/one.txt"),
    _copy("link-where-a-file-is", "COPY a.txt /x/link", "COPY dir /x"),
    _copy("link-where-an-empty-folder-is", "COPY dir/empty /x/link", "COPY dir /x", refused="/x/link"),
    _copy("file-where-a-link-is", "COPY dir /x", "COPY a.txt /x/link"),
    _copy("tree-where-links-are", "COPY full /x/sub-real", "COPY dir/link /x/one.txt", "COPY dir /x"),
    _copy("folder-to-root", "COPY dir /"),
    _copy("new-folder-in-setgid", "COPY a.txt /var/full/new/", "COPY --chown=3:4 dir /var/full/other"),
    _copy("files-in-setgid", "COPY a.txt suid /var/full/", "COPY --chown=3:4 b.txt dir /var/full/"),
    _copy("everything-to-root", "COPY dir ./", "COPY full/ /"),
    _copy("twice-the-same", "COPY dir /x", "COPY dir /x"),
    _copy("on-scratch", "COPY dir /x", base="scratch"),
    _copy("on-scratch-to-root", "COPY a.txt dir /", base="scratch"),
]

SOURCES = [
    _copy("mode-kept", "COPY run.sh suid dir/sub/three.txt /x/"),
    _copy("folder", "COPY dir /x", mtimes=("x/one.txt", "x/sub/three.txt", "x/link")),
    _copy("folder-slash", "COPY dir/ /x/"),
    _copy("folder-dot", "COPY dir/. /x/"),
    _copy("folder-deep-new", "COPY dir /x/y/z"),
    _copy("everything", "COPY . /x/"),
    _copy("everything-slash", "COPY / /x/"),
    _copy("empty-folder", "COPY dir/empty /x"),
    _copy("two-sources", "COPY a.txt b.txt /x/"),
    _copy("two-sources-one-name", "COPY a.txt b.txt /x"),
    _copy("two-folders", "COPY dir/sub dir /x/"),
    _copy("file-and-folder-no-slash", "COPY a.txt dir /x", refused="/x"),
    _copy("same-source-twice", "COPY a.txt a.txt /x/"),
    _copy("absolute-source", "COPY /a.txt /x/"),
    _copy("source-up", "COPY ../a.txt /x/"),
    _copy("source-dots", "COPY ./dir/../a.txt /x/"),
    _copy("source-double-slashes", "COPY dir//sub///three.txt /x/"),
    _copy("glob", "COPY *.txt /x/"),
    _copy("glob-to-name", "COPY a.* /x"),
    _copy("glob-star", "COPY * /x/"),
    _copy("glob-deep", "COPY d*/*.txt /x/"),
    _copy("glob-folder", "COPY f?ll /x/"),
    _copy("glob-folder-link-out", "COPY d?r /x/", differs="glob-link"),
    _copy("glob-in-folder", "COPY dir/* /x/"),
    _copy("glob-folder-and-more", "COPY */deep /x/"),
    _copy("glob-no-match", "COPY *.nothing /x/"),
    _copy("glob-no-match-and-one", "COPY *.nothing a.txt /x/"),
    _copy("glob-class", "COPY [ab].txt /x/"),
    _copy("glob-range", "COPY [a-c].txt /x/"),
    _copy("glob-not-class", "COPY [^a].txt /x/"),
    _copy("glob-hidden", "COPY .h* /x/"),
    _copy("glob-links", "COPY to-* /x/"),
    _copy("glob-bad", "COPY [a.txt /x/", refused="[a.txt"),
    _copy("glob-double-star", "COPY **/*.txt /x/"),
    _copy("missing", "COPY nothing.txt /x/", refused="nothing.txt"),
    _copy("missing-folder", "COPY nothing/ /x/", refused="nothing"),
    _copy("missing-below-a-file", "COPY a.txt/x /x/", refused="a.txt"),
    _copy("file-with-slash", "COPY a.txt/ /x/"),
    _copy("json", 'COPY ["a.txt", "b.txt", "/with space/"]'),
    _copy("quotes", 'COPY "a.txt" /x/'),
    _copy("symlink-source", "COPY to-file /x/"),
    _copy("symlink-folder-source", "COPY to-dir /x/"),
    _copy("symlink-to-symlink", "COPY to-to-dir /x/"),
    _copy("through-symlink", "COPY to-dir/one.txt /x/"),
    _copy("symlink-inside", "COPY dir/link dir/up /x/"),
    _copy("symlink-absolute", "COPY away /x/", tree=LOST, refused="away"),
    _copy("symlink-absolute-inside", "COPY root /x/", tree=LOST),
    _copy("symlink-dangling", "COPY dangling /x/", tree=LOST, refused='a symlink to "nowhere"'),
    _copy("symlink-circle", "COPY circle /x/", tree=LOST, refused="circle"),
    _copy("symlink-outside", "COPY outside /x/", tree=LOST, refused="outside"),
    _copy("symlink-lost-in-folder", "COPY in /x/", tree=LOST),
    _copy("symlink-lost-in-everything", "COPY . /x/", tree=LOST),
    _copy("symlink-lost-in-glob", "COPY i* /x/", tree=LOST, differs="glob-link"),
    _copy("symlink-lost-glob", "COPY *ang* /x/", tree=LOST, refused="*ang*"),
    _copy("variables", "ENV DIR=dir TO=/x", "ARG WHAT=sub", "COPY $DIR/${WHAT} $TO/${WHAT:-no}/"),
    _copy("variables-in-json", "ENV DIR=dir", 'COPY ["$DIR", "/x"]'),
    _copy("empty-variable-source", 'COPY "$NOTHING" a.txt /x/'),
    Case(
        "copy-hard-links", "FROM @base\nCOPY d /x\n", {"d/a": "x\n", "d/b": Hard("d/a"), "d/c/c": Hard("d/a")}
    ),
    Case("copy-hard-links-apart", "FROM @base\nCOPY d/a e/b /x/\n", {"d/a": "x\n", "e/b": Hard("d/a")}),
    Case("copy-hard-links-one", "FROM @base\nCOPY e /x\n", {"d/a": "x\n", "e/b": Hard("d/a")}),
    Case("copy-hard-links-glob", "FROM @base\nCOPY d/* /x/\n", {"d/a": "x\n", "d/b": Hard("d/a")}),
    Case(
        "copy-hard-links-ignored",
        "FROM @base\nCOPY d /x\n",
        {".dockerignore": "d/a\n", "d/a": "x\n", "d/b": Hard("d/a"), "d/c": Hard("d/a")},
    ),
    Case("copy-hard-links-chown", "FROM @base\nCOPY --chown=1:2 d /x\n", {"d/a": "x\n", "d/b": Hard("d/a")}),
    Case(
        "copy-hard-links-between-stages",
        "FROM @base AS one\nCOPY d /x\nFROM @base\nCOPY --from=one /x /y\n",
        {"d/a": "x\n", "d/b": Hard("d/a")},
    ),
    Case("copy-hard-links-twice", "FROM @base\nCOPY d /x\nCOPY d /x\n", {"d/a": "x\n", "d/b": Hard("d/a")}),
    Case("copy-fifo", "FROM @base\nCOPY d /x\n", {"d/a": "1", "d/pipe": Fifo()}),
    Case("copy-sparse", "FROM @base\nCOPY big /x\n", {"big": Sparse(1 << 20)}),
    Case("copy-empty-file", "FROM @base\nCOPY empty /x\n", {"empty": ""}),
    Case("copy-binary", "FROM @base\nCOPY all /x\n", {"all": bytes(range(256)) * 33}),
]

ODD: dict[str, Item] = {
    "d/a b": "1",
    "d/ü-ñ-漢-😀": "2",
    "d/new\nline": "3",
    "d/-dash": "4",
    "d/back\\slash": "5",
    "d/quo\"te'": "6",
    "d/star*": "7",
    "d/[br]": "8",
    "d/$HOME": "9",
    "d/#hash": "10",
    "d/..dots..": "11",
    "d/tab\tx": "12",
    "d/" + "n" * 120: "13",
    "d/" + "f" * 90 + "/" + "g" * 90 + "/" + "h" * 90: "14",
    "d/l": Link("t" * 150),
    "d/m": Link("ü/*"),
    "d/w.wh.x": "15",
}

NAMES = [
    Case("copy-names-odd", "FROM @base\nCOPY d /x\n", ODD),
    Case("copy-names-json", 'FROM @base\nCOPY ["d/a b", "d/quo\\"te\'", "/x y/"]\n', ODD, refused="quote"),
    Case("copy-names-escaped", "FROM @base\nCOPY d/star\\* d/\\[br\\] /x/\n", ODD),
    Case("copy-names-class", "FROM @base\nCOPY d/[[]br] /x/\n", ODD),
    Case("copy-names-dollar", "FROM @base\nCOPY d/\\$HOME /x/\n", ODD),
    Case("copy-names-space-escaped", "FROM @base\nCOPY d/a\\ b /x/\n", ODD, refused=""),
    Case("copy-names-unicode", "FROM @base\nCOPY d/ü* d/#hash d/-dash /x/\n", ODD),
]

MODES: dict[str, Item] = {
    "644": "a\n",
    "000": File("0\n", 0),
    "4755": File("s\n", 0o4755),
    "2070": File("g\n", 0o2070),
    "7777": File("all\n", 0o7777),
    "d/l": Link("../644"),
    "d/s": Folder(0o3777),
    "d/p": Folder(0o700),
}
NO_CHANGES = ("u+", "o+t", "o+s")
CHANGES = (
    *("u+x", "u=rwX,go=rX", "a-w", "g+s,o=", "+t,u+s", "u+x,g=u,o=g-w", "go=", "a=r,u+w", "u+rwx-x", "a+x=r"),
    *("ugo+wt", "+w", "=rw", "-r", "u+t", "a+s", "u=g", "g=u+w", "g=uw", "u=s", "o=t"),
    *("=", "a+X", "u-X", "-X", "=X", "u=rwxs", "o=x-x+r", "-s", "u-s", "-t", "go-g", "u=o,g=o", "+rwxXst"),
    *("g+ug", "=u", "-u", "=t", "=s", "ug=s,o=t"),
)

FLAGS = [
    _copy("chown-name", "COPY --chown=ann a.txt /x/"),
    _copy("chown-name-group", "COPY --chown=ann:staff dir /x/y/"),
    _copy("chown-name-group-number", "COPY --chown=bob:77 dir /x/y/"),
    _copy("chown-number", "COPY --chown=12:34 dir /x"),
    _copy("chown-one-number", "COPY --chown=12 dir /x"),
    _copy("chown-number-group-name", "COPY --chown=12:staff dir /x"),
    _copy("chown-unknown", "COPY --chown=nobodyknows a.txt /x/"),
    _copy("chown-unknown-group", "COPY --chown=ann:nogroup a.txt /x/"),
    _copy("chown-over-existing", "COPY --chown=1:2 dir /var/full"),
    _copy("chown-to-existing-parent", "COPY --chown=1:2 a.txt /srv/app/x/"),
    _copy("chown-variable", "ARG WHO=ann", "COPY --chown=$WHO:${GROUP:-staff} a.txt /x/"),
    _copy("chown-on-scratch", "COPY --chown=5:6 a.txt /x/", base="scratch"),
    _copy("chown-name-on-scratch", "COPY --chown=ann a.txt /x/", base="scratch", refused="ann"),
    _copy("chown-empty-group", "COPY --chown=ann: a.txt /x/"),
    _copy("chown-big-number", "COPY --chown=70000:2147483647 a.txt /x/"),
    _copy(
        "chown-new-user", "RUN echo eve:x:1500:1600::/:/bin/sh >> /etc/passwd", "COPY --chown=eve a.txt /x/"
    ),
    _copy("chmod", "COPY --chmod=4711 dir a.txt /x/", differs="chmod-parents"),
    _copy("chmod-file", "COPY --chmod=600 a.txt /x/y/", differs="chmod-parents"),
    _copy("chmod-parents", "COPY --chmod=3711 dir /x/y/z", differs="chmod-parents"),
    _copy("chmod-parents-setgid", "COPY --chmod=700 a.txt /var/full/new/f", differs="chmod-parents"),
    _copy("chmod-heredoc", "COPY --chmod=700 <<EOF /x/y/f\nhi\nEOF", differs="chmod-parents"),
    _copy("chmod-0-prefix", "COPY --chmod=0755 a.txt /x/"),
    _copy("chmod-existing", "COPY --chmod=700 a.txt /var/full/", "COPY --chmod=700 dir /var/full"),
    _copy("chmod-chown", "COPY --chmod=640 --chown=ann:staff dir /x", differs="chmod-parents"),
    *(
        _copy(f"chmod-change-{number}", f"COPY --chmod={words} . /x/y/", tree=MODES, differs="chmod")
        for number, words in enumerate(CHANGES, 1)
    ),
    *(
        _copy(f"chmod-none-{number}", f"COPY --chmod={words} . /x/y/", tree=MODES)
        for number, words in enumerate(NO_CHANGES)
    ),
    *(
        _copy(f"chmod-bad-{number}", f"COPY --chmod={words} a.txt /x/", refused="--chmod", differs="chmod")
        for number, words in enumerate(
            ("bogus", "888", "-1", "0o755", "755+1", "X", "u", "u+y", ",u+x", "u+x,")
        )
    ),
    _copy("chmod-too-big", "COPY --chmod=77777 a.txt /x/", refused="--chmod", differs="chmod"),
    _copy("chmod-variable", "ARG MODE=u+x", "COPY --chmod=$MODE a.txt /x/", differs="chmod"),
    _copy("user-ignored", "USER ann", "COPY a.txt /x/"),
    _copy("link", "COPY --link a.txt dir /x/"),
    _copy("link-over-existing", "COPY --link dir /var/full", differs="link"),
    _copy("link-into-symlink", "COPY --link a.txt /var/to-folder/", differs="link"),
    _copy("link-chown", "COPY --link --chown=1:2 dir /x/y"),
    _copy("link-chown-name", "COPY --link --chown=ann dir /x/y"),
    _copy("link-false", "COPY --link=false a.txt /x/"),
    _copy("link-relative", "WORKDIR /srv/app", "COPY --link a.txt ./"),
    _copy(
        "link-mid",
        "COPY a.txt /x/",
        "COPY --link b.txt /x/",
        "RUN cat /x/a.txt /x/b.txt > /x/c",
        "COPY run.sh /x/",
    ),
    _copy("parents", "COPY --parents dir/sub/three.txt a.txt /x/", differs="parents"),
    _copy("exclude", "COPY --exclude=*.txt dir /x/", differs="newer"),
    _copy("exclude-named", "COPY --exclude=*.txt --exclude=run.sh a.txt run.sh dir /x/", differs="newer"),
    _copy("exclude-matched", "COPY --exclude=*.txt --exclude=sub *.txt dir/* /x/", differs="newer"),
    _copy("exclude-folder", "COPY --exclude=dir/sub --exclude=*.sh . /x/", differs="newer"),
    _copy("unknown-flag", "COPY --nothing a.txt /x/", refused="--nothing"),
    _copy("flag-without-value", "COPY --chown a.txt /x/", refused="chown"),
    _copy("flag-twice", "COPY --chown=1 --chown=2 a.txt /x/", refused="chown"),
    _copy("checksum", "COPY --checksum=sha256:aa a.txt /x/", refused="checksum"),
    _copy("one-word", "COPY a.txt", refused="COPY"),
    _copy("no-words", "COPY", refused="COPY"),
]

HEREDOCS = [
    _copy("heredoc", "COPY <<EOF /x/f", "one", "  two $HOME", "EOF"),
    _copy("heredoc-to-folder", "COPY <<name.txt /x/", "one", "name.txt"),
    _copy("heredoc-quoted", "ENV A=b", 'COPY <<"EOF" /x/f', "no $A ${A}", "EOF"),
    _copy(
        "heredoc-variables",
        "ENV A=b",
        "ARG C=d",
        "COPY <<EOF /x/f",
        "$A ${C:-x} \\$A \"$A\" '$A' \\\\",
        "EOF",
    ),
    _copy("heredoc-tabs", "COPY <<-EOF /x/f", "\t\tone", "\ttwo\tx", "\tEOF"),
    _copy("heredoc-two", "COPY <<one <<two /x/", "1", "one", "2", "two"),
    _copy("heredoc-and-file", "COPY a.txt <<two /x/", "2", "two"),
    _copy("heredoc-chmod", "COPY --chmod=755 --chown=ann <<EOF /x/run", "#!/bin/sh", "EOF"),
    _copy("heredoc-empty", "COPY <<EOF /x/f", "EOF"),
    _copy("heredoc-blank-lines", "COPY <<EOF /x/f", "", "# no comment", "", "EOF", "# a comment"),
    _copy("heredoc-no-end", "COPY <<EOF /x/f", "one", refused="EOF"),
    _copy("heredoc-workdir", "WORKDIR /srv/app", "COPY <<EOF f", "one", "EOF"),
]

CASES = [*DESTINATIONS, *SOURCES, *NAMES, *FLAGS, *HEREDOCS]
