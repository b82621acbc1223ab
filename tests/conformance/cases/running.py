"""RUN (Dockerfile reference, "RUN"): what it leaves in its layer, in both sandboxes."""

from __future__ import annotations

from dockerlab.context.context import File
from tests.conformance.case import Case, Item

FILES: dict[str, Item] = {"a.txt": "a\n", "d/one": File("1\n", 0o755), "d/sub/two": "2\n", "big": "x" * 5000}


def _run(
    name: str,
    *lines: str,
    base: str = "@base",
    refused: str | None = None,
    differs: str | None = None,
    differs_unprivileged: str | None = None,
    secrets: dict[str, bytes] | None = None,
    **build_args: str,
) -> Case:
    text = "\n".join([f"FROM {base}", *lines]) + "\n"
    return Case(
        f"run-{name}",
        text,
        FILES if "COPY" in text or "--mount" in text else {},
        build_args=build_args,
        secrets=secrets or {},
        refused=refused,
        differs=differs,
        differs_unprivileged=differs_unprivileged,
    )


def _plain(option: str) -> str:
    return option.replace("=", "-").replace(",", "-")


def _proxy(name: str, *lines: str, **build_args: str) -> Case:
    """Return a case that shows a RUN's proxies; its command is its own, as proxies count for no cache key."""
    run = f"RUN : {name}; env | grep -i _proxy= | sort > /tmp/f; true"
    text = "\n".join(["FROM @base", *lines, run]) + "\n"
    return Case(f"run-proxy-{name}", text, build_args=build_args)


CHANGES = [
    _run("nothing", "RUN true"),
    _run("new-file", "RUN echo hi > /tmp/f"),
    _run("new-folders", "RUN mkdir -p /a/b/c && echo 1 > /a/b/f"),
    _run("overwrite", "RUN echo new > /var/full/one"),
    _run("append", "RUN echo more >> /var/full/two"),
    _run("touch", "RUN touch /var/full/two"),
    _run("touch-and-rm", "RUN touch /srv/app/x && rm /srv/app/x"),
    _run("rm", "RUN rm /var/full/one"),
    _run("rm-of-many", "RUN rm /var/full/*; ls /var/full > /tmp/f; true"),
    _run("rm-folder", "RUN rm -r /var/full"),
    _run("rm-and-mkdir", "RUN rm -r /var/full && mkdir /var/full && echo > /var/full/new"),
    _run("rm-and-file", "RUN rm -r /var/full && echo file > /var/full"),
    _run("rm-and-link", "RUN rm -r /var/full && ln -s /tmp /var/full"),
    _run("rm-file-and-mkdir", "RUN rm /var/full/one && mkdir /var/full/one && echo > /var/full/one/x"),
    _run("rm-file-and-same", "RUN rm /var/full/one && echo one > /var/full/one"),
    _run("rm-link-and-file", "RUN rm /var/to-file && echo > /var/to-file"),
    _run("rm-mkdir-nested", "RUN rm -r /var/full && mkdir -p /var/full/deep && echo > /var/full/deep/three"),
    _run("rm-in-two-layers", "RUN rm /var/full/one", "RUN rm /var/full/two", "RUN rm -r /var/full"),
    _run("rm-own-file", "RUN echo > /tmp/f", "RUN rm /tmp/f", "RUN echo 2 > /tmp/f"),
    _run(
        "mkdir-over-opaque",
        "RUN rm -r /var/full && mkdir /var/full",
        "RUN echo > /var/full/x",
        "RUN rm /var/full/x",
    ),
    _run("chmod", "RUN chmod 600 /var/full/one"),
    _run("chmod-same", "RUN chmod 644 /var/full/one"),
    _run("chmod-same-closed", "RUN chmod 444 /srv/app", "RUN chmod 444 /srv/app", differs="proot-same-mode"),
    _run("read-closed", "RUN chmod 444 /var/full/one /var/full/two", "RUN cat /var/full/* > /tmp/f; true"),
    _run("read-closed-folder", "RUN chmod 555 /var/full && chmod 111 /var/lib", "RUN ls /var/full /var/lib"),
    _run("run-closed", "RUN echo 'echo 1' > /t && chmod 555 /t", "RUN /t > /tmp/f"),
    _run(
        "write-setuid",
        "RUN echo more >> /var/full/deep/three && cp /var/full/deep/three /tmp/f",
        differs_unprivileged="no-setuid",
    ),
    _run("cp-into-setgid", "RUN mkdir /x && echo 1 > /x/f && cp -r /x /var/full/y", differs="proot-setgid"),
    *(
        _run(
            f"{name}-is-a-folder",
            f"RUN rm /etc/{name}",
            f"COPY d /etc/{name}/",
            "RUN true",
            differs="folders-for-files",
        )
        for name in ("group", "passwd")
    ),
    _run("write-closed", "RUN chmod 444 /var/full/one", "RUN echo other > /var/full/one"),
    _run("link-closed", "RUN chmod 444 /var/full/two", "RUN ln /var/full/two /var/full/three"),
    _run("rm-name-of-closed", "RUN chmod 444 /var/full/one", "RUN rm /var/second-name"),
    _run("chmod-folder", "RUN chmod 700 /var/full"),
    _run("chmod-recursive", "RUN chmod -R a-r /var/full"),
    _run("chmod-special", "RUN touch /tmp/a && chmod 6751 /tmp/a && mkdir /tmp/d && chmod 3777 /tmp/d"),
    _run("chmod-000", "RUN echo x > /tmp/a && chmod 000 /tmp/a && cat /tmp/a > /tmp/b"),
    _run("chown", "RUN chown ann:staff /var/full/one"),
    _run(
        "chown-number",
        "RUN chown 12:34 /var/full/one && chown 5 /var/full/two && chgrp 6 /var/full",
        differs="proot-seen",
    ),
    _run("chown-recursive", "RUN chown -R bob:users /var/full"),
    _run("chown-link", "RUN chown -h 3:4 /var/to-file && chown 5:6 /var/to-file"),
    _run("chown-drops-suid", "RUN chown ann /var/full/deep/three"),
    _run(
        "chown-of-two",
        "RUN chown -R 1000:1000 /var/full/deep; chown 0:0 /var/full/one; cd /var; chown '1000':50 full/two",
    ),
    _run("chown-new", "RUN mkdir /tmp/d && touch /tmp/d/f && chown -R 1000:1000 /tmp/d"),
    _run("chown-root", "RUN chown 0:0 /var/full/two /home/ann"),
    _run("mv-file", "RUN mv /var/full/two /var/full/moved"),
    _run("mv-folder", "RUN mv /var/full /var/moved"),
    _run("mv-over", "RUN mv /var/full/one /var/full/two"),
    _run("mv-back", "RUN mv /var/full /var/x && mv /var/x /var/full", differs="proot-mv-back"),
    _run("mv-new-over-old-folder", "RUN mkdir /n && echo > /n/f && rm -r /var/full && mv /n /var/full"),
    _run("cp", "RUN cp -a /var/full /tmp/copy", differs="proot-seen"),
    _run("symlink", "RUN ln -s /nowhere /tmp/a && ln -s ../var /tmp/b && ln -sfn /tmp /var/to-folder"),
    _run("hard-link-new", "RUN cd /tmp && echo 1 > b && ln b a && ln b c"),
    _run("hard-link-old", "RUN ln /var/full/two /var/full/another"),
    _run("hard-link-touch-one", "RUN touch /var/second-name"),
    _run("hard-link-write-one", "RUN echo more >> /var/full/one"),
    _run("hard-link-rm-one", "RUN rm /var/second-name"),
    _run("hard-link-rm-both", "RUN rm /var/second-name /var/full/one"),
    _run(
        "hard-link-across-layers",
        "RUN cd /tmp && echo 1 > a && ln a b",
        "RUN echo 2 >> /tmp/a",
        "RUN ln /tmp/b /tmp/c",
    ),
    _run("hard-link-chown", "RUN cd /tmp && echo 1 > a && ln a b && chown 7:8 b && chmod 600 a"),
    _run("hard-link-symlink", "RUN cd /tmp && ln -s x l && ln l m"),
    _run("fifo", "RUN mkfifo -m 640 /tmp/p && chown 3:4 /tmp/p"),
    _run(
        "device",
        "RUN mknod /tmp/null c 1 3 && mknod -m 600 /tmp/loop b 7 0",
        differs_unprivileged="no-devices",
    ),
    _run("sparse", "RUN dd if=/dev/zero of=/tmp/s bs=1 count=1 seek=1048575 2>/dev/null"),
    _run("truncate", "RUN truncate -s 100000 /tmp/s"),
    _run("big", "RUN dd if=/dev/zero of=/tmp/b bs=1k count=3000 2>/dev/null"),
    _run("names", "RUN cd /tmp && touch 'a b' ü './-x' 'b\\s' \"q'\" $(printf 'n%.0s' $(seq 120))"),
    _run("names-bytes", "RUN touch \"/tmp/$(printf '\\377\\376')\""),
    _run("names-wh", "RUN touch /tmp/x.wh.y"),
    _run("deep", "RUN mkdir -p /tmp/$(seq -s / 40) && echo > /tmp/$(seq -s / 40)/f"),
    _run("many", "RUN cd /tmp && for i in $(seq 300); do echo $i > f$i; done"),
    _run("order", "RUN cd /tmp && mkdir a a.b a-b && touch a/x a.b/x a-b/x A aa a0"),
    _run("root-folder", "RUN touch /f && chmod 711 /srv"),
    _run("chmod-root", "RUN chmod 700 /"),
    _run("mtime", "RUN touch -d '2001-02-03 04:05:06' /tmp/f"),
    _run("setgid-folder", "RUN mkdir /var/full/n && touch /var/full/f && mkdir /var/full/n/m"),
    _run("etc", "RUN echo x >> /etc/passwd; echo 127.0.0.2 x >> /etc/hosts; true"),
    _run(
        "etc-read",
        "RUN test -r /etc/resolv.conf && test -r /etc/hosts && test -s /etc/hosts && echo yes > /tmp/f",
    ),
    _run(
        "in-proc-sys-dev",
        "RUN echo x > /dev/null; ls /proc/self > /dev/null && test -c /dev/zero && echo ok > /tmp/f",
    ),
    _run("dev-shm", "RUN echo x > /dev/shm/f; mkdir /dev/shm/d; true"),
    _run("tmp-kept", "RUN echo x > /tmp/a", "RUN cat /tmp/a > /tmp/b"),
    _run("bare", "RUN : > /made", "RUN : > /made-too", base="@bare", differs="proot-mount-points"),
    _run("bare-etc", "RUN echo 1 > /etc/x", base="@bare", differs="proot-mount-points"),
    _run("on-scratch-no-shell", "RUN true", base="scratch", refused="sh"),
    _run(
        "volume-then-write",
        "VOLUME /data /srv/app",
        "RUN mkdir -p /data && echo 1 > /data/f; echo 2 > /srv/app/f",
    ),
    _run("base-volume", "RUN echo 1 > /tmp/f; ls -n /data | wc -l >> /tmp/f", base="@rich"),
]

COMMANDS = [
    _run("json", 'RUN ["/bin/sh", "-c", "echo json > /tmp/f"]'),
    _run("json-no-variables", "ENV A=1", 'RUN ["/bin/echo", "$A"]'),
    _run("json-path", 'RUN ["touch", "/tmp/f"]'),
    _run("json-missing", 'RUN ["nothing-here"]', refused="nothing-here"),
    _run("json-one-space", 'RUN ["/bin/touch", "/tmp/a b"]'),
    _run("json-bad", "RUN ['touch', '/tmp/f']", refused="exit code"),
    _run("no-such-command", "RUN nothing-here", refused="127"),
    _run("not-executable", 'RUN ["/etc/passwd"]', refused="/etc/passwd"),
    _run("fails", "RUN exit 3", refused="exit code 3"),
    _run("fails-late", "RUN false; true"),
    _run("killed", "RUN kill -9 $$", differs="proot-pid"),
    _run("and", "RUN false && true", refused="exit code 1"),
    _run("quotes", "RUN echo \"a  b\" 'c  $HOME' \\$HOME $HOME > /tmp/f"),
    _run("continued", "RUN echo a \\", "    b \\", "  # a comment", "", "    c > /tmp/f"),
    _run("continued-spaces", "RUN echo 'a \\", "   b' > /tmp/f"),
    _run("tabs", "RUN\techo\ta\t>\t/tmp/f"),
    _run("hash", "RUN echo '#not' # a comment of the shell > /tmp/g"),
    _run(
        "shell",
        'SHELL ["/bin/ash", "-euc"]',
        "RUN echo $0 > /tmp/f; echo ${NOTHING}; echo more >> /tmp/f",
        refused="2",
    ),
    _run("shell-used", 'SHELL ["/bin/sh", "-xc"]', "RUN echo hi > /tmp/f"),
    _run("shell-echo", 'SHELL ["/bin/echo"]', "RUN only said"),
    _run("shell-missing", 'SHELL ["/nothing"]', "RUN true", refused="/nothing"),
    _run("env", "ENV A=1 B='two  words'", 'RUN echo "$A|$B" > /tmp/f'),
    _run("env-all", "ENV Z=1", "ARG A=2", "RUN env | grep -v -e HOSTNAME -e PWD -e SHLVL | sort > /tmp/f"),
    _run("env-path-replaced", "ENV PATH=/usr/bin:/bin", "RUN echo $PATH > /tmp/f"),
    _run("env-path-empty", "ENV PATH=", "RUN echo 1 > /tmp/f"),
    _run("arg", "ARG A=1", "ARG B", "RUN echo $A-$B > /tmp/f"),
    _run("arg-given", "ARG A=1", "ARG B", "RUN echo $A-$B > /tmp/f", A="x", B="y"),
    _run("arg-env-wins", "ARG A=1", "ENV A=2", "RUN echo $A > /tmp/f", A="3"),
    _run("arg-later", "RUN echo $A > /tmp/f", "ARG A=1", "RUN echo $A > /tmp/g"),
    _run("arg-undeclared", "RUN echo $A- > /tmp/f", A="x"),
    _proxy("arg", HTTP_PROXY="x:1"),
    _proxy("arg-lower", http_proxy="x:1"),
    _proxy("arg-mixed", Http_Proxy="x:1"),
    _proxy("arg-empty", HTTP_PROXY=""),
    _proxy("args", HTTP_PROXY="h", https_proxy="s", FTP_PROXY="f", no_proxy="n", All_Proxy="a"),
    _proxy("over-env", "ENV http_proxy=mine", HTTP_PROXY="x:1"),
    _proxy("over-env-upper", "ENV HTTP_PROXY=mine", http_proxy="x:1"),
    _proxy("declared", "ARG HTTP_PROXY", HTTP_PROXY="x:1"),
    _proxy("declared-other-case", "ARG http_proxy", HTTP_PROXY="x:1"),
    _proxy("declared-default", "ARG HTTP_PROXY=mine"),
    _proxy("not-a-word", "LABEL a=x$HTTP_PROXY b=x$http_proxy", HTTP_PROXY="x:1"),
    _run("arg-special", "ARG A", 'RUN echo "$A" > /tmp/f', A="a \"b\" $c 'd' \\e"),
    _run("arg-twice", "ARG A=1", "ARG A=2", "ARG A", "RUN echo $A > /tmp/f"),
    _run("arg-of-stage-below", "FROM @base AS below", "ARG A=2", "FROM below", "ARG A", "RUN true"),
    _run("args-many", "ARG Z=1", "ARG A=2", "ARG M", "ENV E=3", "RUN echo > /tmp/f"),
    _run("arg-after-env", "ENV A=1", "ARG A=2", "RUN echo $A > /tmp/f", "LABEL a=$A"),
    _run("arg-given-after-env", "ENV A=1", "ARG A", "RUN echo $A > /tmp/f", A="3"),
    _run("arg-path", "ARG PATH=/bin", "RUN echo $PATH > /tmp/f"),
    _run("stdin", "RUN cat > /tmp/f"),
    _run("hostname", "RUN hostname | wc -l > /tmp/f"),
    _run("pid", "RUN echo $$ > /tmp/f", differs="proot-pid"),
    _run("background", "RUN (sleep 60 &) ; echo 1 > /tmp/f"),
    _run(
        "uid-map",
        "RUN cat /proc/self/status | grep -e Uid -e Gid > /tmp/f",
        differs_unprivileged="proot-seen",
    ),
    _run("network-none", "RUN --network=none ls /sys/class/net > /dev/null; echo 1 > /tmp/f"),
    _run("json-text", 'RUN ["/bin/sh", "-c", "true"] && true', refused="exit code", differs="json-text"),
    _run("heredoc-tabs-shebang", "RUN <<-EOF", "\t#!/bin/ash", "\techo $0 > /tmp/f", "\tEOF"),
    _run("heredoc-tabs-below-shebang", "RUN <<-EOF", "#!/bin/ash", "\tcat $0 > /tmp/f", "\tEOF"),
    _run("network-host", "RUN --network=host true", refused="not allowed"),
    _run("security", "RUN --security=insecure true", refused="--security"),
    _run("device-flag", "RUN --device=vendor.com/device=one true", refused="--device"),
    _run(
        "hostname-given",
        "RUN hostname > /tmp/f; cat /etc/hosts > /tmp/g",
        differs="proot-host",
        BUILDKIT_SANDBOX_HOSTNAME="lab",
    ),
    _run("hostname-default", "RUN hostname > /tmp/f; cat /etc/hosts > /tmp/g", differs="proot-host"),
    _run(
        "args-of-buildkit",
        "RUN env > /tmp/f",
        BUILDKIT_SANDBOX_HOSTNAME="lab",
        BUILDKIT_CACHE_MOUNT_NS="x",
        BUILDKIT_CONTEXT_KEEP_GIT_DIR="1",
        BUILDKIT_INLINE_CACHE="0",
        BUILDKIT_SBOM_SCAN_STAGE="true",
    ),
    _run(
        "args-of-sbom",
        "ARG BUILDKIT_SBOM_SCAN_STAGE=true BUILDKIT_SBOM_SCAN_CONTEXT=$A",
        "RUN echo [$BUILDKIT_SBOM_SCAN_STAGE] > /tmp/f",
        "LABEL a=[$BUILDKIT_SBOM_SCAN_STAGE]",
    ),
    _run("network-bad", "RUN --network=nothing true", refused="network"),
    _run("security-sandbox", "RUN --security=sandbox true", refused="security"),
    _run("security-insecure", "RUN --security=insecure true", refused="security"),
    _run("flag-unknown", "RUN --nothing true", refused="--nothing"),
    _run("order-of-history", "ENV A=1", "RUN true", "LABEL b=c", "COPY a.txt /", "USER ann", "RUN true"),
]

HEREDOCS = [
    _run("heredoc", "RUN <<EOF", "echo one > /tmp/f", "  echo two >> /tmp/f", "EOF"),
    _run("heredoc-goes-on", "RUN <<EOF", "false", "echo on > /tmp/f", "EOF"),
    _run("heredoc-fails-last", "RUN <<EOF", "true", "exit 7", "EOF", refused="exit code 7"),
    _run("heredoc-set-e", "RUN <<EOF", "set -e", "false", "echo on > /tmp/f", "EOF", refused="exit code 1"),
    _run("heredoc-variables", "ENV A=1", "RUN <<EOF", "B=2", "echo $A $B ${A} > /tmp/f", "EOF"),
    _run("heredoc-quoted", "ENV A=1", "RUN <<'EOF'", "echo $A > /tmp/f", "EOF"),
    _run("heredoc-shebang", "RUN <<EOF", "#!/bin/awk -f", 'BEGIN { print "awk" > "/tmp/f" }', "EOF"),
    _run("heredoc-shebang-sh", "ENV A=1", "RUN <<EOF", "#!/bin/sh -e", "echo $0 $A > /tmp/f", "EOF"),
    _run("heredoc-tabs", "RUN <<-EOF", "\techo one > /tmp/f", "\tEOF"),
    _run("heredoc-to-command", "RUN cat > /tmp/f <<EOF", "one $HOME", "EOF"),
    _run("heredoc-two", "RUN cat <<one > /tmp/1 && cat <<two > /tmp/2", "1", "one", "2", "two"),
    _run("heredoc-to-shell", "RUN sh <<EOF", "echo one > /tmp/f", "EOF"),
    _run("heredoc-fd", "RUN cat 0<<EOF > /tmp/f", "one", "EOF"),
    _run("heredoc-empty", "RUN <<EOF", "EOF"),
    _run("heredoc-with-mount", "RUN --mount=target=/m <<EOF", "cat /m/a.txt > /tmp/f", "EOF"),
    _run("heredoc-json-shell", 'SHELL ["/bin/ash", "-ec"]', "RUN <<EOF", "echo ash > /tmp/f", "EOF"),
    _run("heredoc-no-end", "RUN <<EOF", "true", refused="EOF"),
]

MOUNTS = [
    _run(
        "bind", "RUN --mount=type=bind,target=/m cat /m/a.txt /m/d/one > /tmp/f; ls -n /m | wc -l >> /tmp/f"
    ),
    _run("bind-default-type", "RUN --mount=target=/m,source=d cat /m/one > /tmp/f"),
    _run("bind-file", "RUN --mount=source=a.txt,target=/m/a cat /m/a > /tmp/f"),
    _run(
        "bind-relative",
        "WORKDIR /srv/app",
        "RUN --mount=source=d,target=in cat in/one > /tmp/f",
        differs="proot-mount-points",
    ),
    _run(
        "bind-read-only",
        "RUN --mount=target=/m echo x > /m/new",
        refused="exit code",
        differs="proot-read-only",
    ),
    _run("bind-rw", "RUN --mount=target=/m,rw echo x > /m/new && echo y > /m/a.txt && cat /m/new > /tmp/f"),
    _run(
        "bind-rw-not-kept",
        "RUN --mount=target=/m,rw echo x > /m/a.txt",
        "RUN --mount=target=/m cat /m/a.txt > /tmp/f",
    ),
    _run("bind-over-existing", "RUN --mount=source=d,target=/var/full ls /var/full > /tmp/f"),
    _run("bind-missing", "RUN --mount=source=nothing,target=/m true", refused="nothing"),
    _run("bind-no-target", "RUN --mount=type=bind true", refused="target"),
    _run("bind-image", "RUN --mount=from=@rich,source=/srv,target=/m cat /m/app/over > /tmp/f"),
    _run(
        "bind-names",
        "RUN --mount=dst=/m,src=d --mount=destination=/n,source=d/sub cat /m/one /n/two > /tmp/f",
    ),
    _run("bind-stage-unknown", "RUN --mount=from=nothing-of-ours,target=/m true", refused="nothing-of-ours"),
    _run("cache", "RUN --mount=type=cache,target=/c,id=j-@nonce echo x > /c/f; ls /c > /tmp/f"),
    _run(
        "cache-kept",
        "RUN --mount=type=cache,target=/c,id=k-@nonce echo x > /c/f",
        "RUN --mount=type=cache,target=/d,id=k-@nonce cat /d/f > /tmp/f",
    ),
    _run(
        "cache-by-target",
        "RUN --mount=type=cache,target=/c-@nonce echo x > /c-@nonce/f",
        "RUN --mount=type=cache,target=/c-@nonce cat /c-@nonce/f > /tmp/f",
    ),
    _run(
        "cache-other-id",
        "RUN --mount=type=cache,target=/c,id=m-@nonce echo x > /c/f",
        "RUN --mount=type=cache,target=/c,id=n-@nonce ls /c > /tmp/f",
    ),
    _run(
        "cache-owner",
        "RUN --mount=type=cache,target=/c,uid=7,gid=50,mode=0700,id=o-@nonce stat -c '%u %g %a' /c > /tmp/f",
        differs_unprivileged="proot-seen",
    ),
    _run("cache-mode", "RUN --mount=type=cache,target=/c,id=p-@nonce stat -c '%u %g %a' /c > /tmp/f"),
    _run(
        "cache-user",
        "USER ann",
        "RUN --mount=type=cache,target=/c,uid=1000,id=q-@nonce touch /c/f && echo ok > /tmp/f",
    ),
    _run(
        "cache-from",
        "RUN --mount=type=cache,target=/c,from=@rich,source=/srv/app,id=r-@nonce cat /c/over > /tmp/f",
    ),
    _run(
        "cache-sharing-private",
        "RUN --mount=type=cache,target=/c,sharing=private,id=s-@nonce echo x > /c/f && cat /c/f > /tmp/f",
    ),
    _run(
        "cache-sharing-locked",
        "RUN --mount=type=cache,target=/c,sharing=locked,id=t-@nonce echo x > /c/f && cat /c/f > /tmp/f",
    ),
    _run("cache-sharing-bad", "RUN --mount=type=cache,target=/c,sharing=nothing true", refused="sharing"),
    _run(
        "cache-ro",
        "RUN --mount=type=cache,target=/c,ro,id=u-@nonce touch /c/f",
        refused="exit code",
        differs="proot-read-only",
    ),
    _run("cache-no-target", "RUN --mount=type=cache true", refused="target"),
    _run("cache-over-existing", "RUN --mount=type=cache,target=/var/full,id=v-@nonce ls /var/full > /tmp/f"),
    _run("cache-in-new-folder", "RUN --mount=type=cache,target=/x/y/c,id=w-@nonce touch /x/y/f /x/y/c/f"),
    _run(
        "cache-variable",
        "ARG WHERE=/c",
        "RUN --mount=type=cache,target=$WHERE,id=x-@nonce touch /c/f && echo ok > /tmp/f",
    ),
    _run("tmpfs", "RUN --mount=type=tmpfs,target=/t echo x > /t/f && cat /t/f > /tmp/f"),
    _run(
        "tmpfs-over-existing",
        "RUN --mount=type=tmpfs,target=/var/full echo x > /var/full/f; ls /var/full > /tmp/f",
    ),
    _run("tmpfs-size", "RUN --mount=type=tmpfs,target=/t,size=4096 echo x > /t/f && cat /t/f > /tmp/f"),
    _run("secret", "RUN --mount=type=secret,id=s cat /run/secrets/s > /tmp/f", secrets={"s": b"very"}),
    _run(
        "secret-target", "RUN --mount=type=secret,id=s,target=/x/s cat /x/s > /tmp/f", secrets={"s": b"very"}
    ),
    _run(
        "secret-mode",
        "RUN --mount=type=secret,id=s,mode=0440,uid=1000,gid=50 stat -c '%u %g %a' /run/secrets/s > /tmp/f",
        secrets={"s": b"very"},
        differs="proot-seen",
    ),
    _run(
        "secret-default-mode",
        "RUN --mount=type=secret,id=s stat -c '%u %g %a' /run/secrets/s > /tmp/f",
        secrets={"s": b"very"},
    ),
    _run("secret-missing", "RUN --mount=type=secret,id=s ls /run/secrets > /tmp/f; true"),
    _run("secret-required", "RUN --mount=type=secret,id=s,required true", refused="secret"),
    _run(
        "secret-required-given",
        "RUN --mount=type=secret,id=s,required=true cat /run/secrets/s > /tmp/f",
        secrets={"s": b"very"},
    ),
    _run(
        "secret-relative",
        "WORKDIR /srv/app",
        "RUN --mount=type=secret,id=s,target=s cat s > /tmp/f",
        secrets={"s": b"very"},
        differs="proot-mount-points",
    ),
    _run(
        "secret-env",
        "RUN --mount=type=secret,id=s,env=S echo $S > /tmp/f",
        secrets={"s": b"very"},
        differs="newer",
    ),
    _run(
        "secret-env-bytes",
        "RUN --mount=type=secret,id=s,env=S echo $S > /tmp/f",
        secrets={"s": b"caf\xe9"},
    ),
    _run(
        "secret-leaves-nothing",
        "RUN --mount=type=secret,id=s true",
        "RUN ls /run > /tmp/f; true",
        secrets={"s": b"very"},
    ),
    _run(
        "mount-two",
        "RUN --mount=type=tmpfs,target=/t --mount=target=/m cp /m/a.txt /t/b && cat /t/b > /tmp/f",
    ),
    _run(
        "tmpfs-size-kept",
        "RUN --mount=type=tmpfs,target=/t,size=1.5MB df -k /t > /tmp/f",
        differs="proot-host",
    ),
    _run("tmpfs-size-bad", "RUN --mount=type=tmpfs,target=/t,size=much true", refused="size"),
    _run("cache-size", "RUN --mount=type=cache,target=/t,size=1m true", refused="size"),
    _run("mount-nested", "RUN --mount=target=/m --mount=type=tmpfs,target=/m/d ls /m/d > /tmp/f"),
    _run(
        "mount-cache-in-cache",
        "RUN --mount=type=cache,target=/c,id=nest-out-@nonce"
        " --mount=type=cache,target=/c/in/deep,id=nest-in-@nonce"
        " echo x > /c/in/deep/f && ls /c /c/in > /tmp/f",
        "RUN --mount=type=cache,target=/o,id=nest-out-@nonce --mount=type=cache,target=/i,id=nest-in-@nonce"
        " ls -R /o /i > /tmp/g",
    ),
    _run(
        "mount-inner-first",
        "RUN --mount=type=cache,target=/c/in,id=nest-in2-@nonce"
        " --mount=type=cache,target=/c,id=nest-out2-@nonce"
        " echo x > /c/in/f && ls /c > /tmp/f",
    ),
    _run(
        "mount-tmpfs-in-cache",
        "RUN --mount=type=cache,target=/c,id=nest-t-@nonce --mount=type=tmpfs,target=/c/t"
        " echo x > /c/t/f && ls /c/t > /tmp/f",
        "RUN --mount=type=cache,target=/c,id=nest-t-@nonce ls -R /c > /tmp/g",
    ),
    _run(
        "mount-cache-in-tmpfs",
        "RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/t/c,id=nest-u-@nonce"
        " echo x > /t/c/f && ls /t > /tmp/f",
    ),
    _run(
        "mount-secret-in-cache",
        "RUN --mount=type=cache,target=/c,id=nest-s-@nonce --mount=type=secret,id=s,target=/c/s"
        " cat /c/s > /tmp/f",
        "RUN --mount=type=cache,target=/c,id=nest-s-@nonce ls -l /c | wc -l > /tmp/g",
        secrets={"s": b"very"},
    ),
    _run(
        "mount-bind-in-cache",
        "RUN --mount=type=cache,target=/c,id=nest-b-@nonce --mount=target=/c/b,source=d"
        " cat /c/b/one > /tmp/f",
        "RUN --mount=type=cache,target=/c,id=nest-b-@nonce ls -R /c > /tmp/g",
    ),
    _run(
        "mount-cache-in-source",
        "WORKDIR /src",
        "RUN --mount=target=.,rw --mount=type=cache,target=node_modules,id=nest-n-@nonce"
        " echo x > node_modules/f && cat a.txt node_modules/f > /tmp/f",
        "RUN --mount=target=.,rw --mount=type=cache,target=node_modules,id=nest-n-@nonce"
        " cat node_modules/f > /tmp/g",
    ),
    _run(
        "mount-over-existing-in-source",
        "RUN --mount=target=/m --mount=source=d/one,target=/m/big cat /m/big > /tmp/f",
    ),
    _run(
        "mount-no-place",
        "RUN --mount=target=/m --mount=type=cache,target=/m/new,id=nest-p-@nonce true",
        refused="/m/new",
    ),
    *(
        _run(
            f"bind-{_plain(name)}", f"RUN --mount=target=/m,{name} echo x > /m/a.txt && cat /m/a.txt > /tmp/f"
        )
        for name in ("rw=1", "rw=T", "readwrite=true", "ro=false", "readonly=0", "ro=F", "ro,rw")
    ),
    *(
        _run(
            f"bind-{_plain(name)}",
            f"RUN --mount=target=/m,{name} echo x > /m/a.txt",
            refused="exit code 1",
            differs="proot-read-only",
        )
        for name in ("rw=0", "rw=False", "readwrite=f", "ro", "readonly=TRUE", "rw,ro", "ro=1")
    ),
    _run("bind-bool-bad", "RUN --mount=target=/m,rw=yes true", refused="rw"),
    _run(
        "tmpfs-ro",
        "RUN --mount=type=tmpfs,target=/t,ro touch /t/f",
        refused="exit code 1",
        differs="proot-read-only",
    ),
    _run("mount-capitals", "RUN --mount=TYPE=CACHE,Target=/c,id=nest-cap-@nonce,sharing=LOCKED touch /c/f"),
    _run("mount-root", "RUN --mount=target=/ true", refused="target"),
    _run("mount-from-number", "RUN --mount=from=0,target=/m true", refused="invalid stage"),
    *(
        _run(
            f"mount-{_plain(name)}-for-{kind}",
            f"RUN --mount=type={kind},target=/m,{name} true",
            refused=name[:4],
        )
        for kind, name in (
            *(("bind", "mode=0700"), ("bind", "uid=1"), ("tmpfs", "gid=1"), ("bind", "sharing=shared")),
            *(("cache", "required"), ("cache", "size=1"), ("secret", "from=x"), ("cache", "id")),
        )
    ),
    _run("secret-unnamed", "RUN --mount=type=secret true", refused="secret"),
    _run("secret-source-and-id", "RUN --mount=type=secret,id=a,source=b true", refused="both"),
    _run("ssh-without-agent", "RUN --mount=type=ssh echo $SSH_AUTH_SOCK > /tmp/f"),
    _run(
        "cache-by-mode",
        "RUN --mount=type=cache,target=/c,id=nest-own-@nonce touch /c/plain",
        "RUN --mount=type=cache,target=/c,id=nest-own-@nonce,mode=0700 touch /c/mode; ls /c > /tmp/1",
        "RUN --mount=type=cache,target=/c,id=nest-own-@nonce,uid=7 touch /c/uid; ls /c > /tmp/2",
        "RUN --mount=type=cache,target=/c,id=nest-own-@nonce,gid=7 ls /c > /tmp/3",
        "RUN --mount=type=cache,target=/c,id=nest-own-@nonce,uid=7,mode=0755,gid=0 ls /c > /tmp/4",
        "RUN --mount=type=cache,target=/c,id=nest-own-@nonce ls /c > /tmp/5",
    ),
    _run(
        "cache-by-from",
        "RUN --mount=type=cache,target=/c,id=nest-from-@nonce touch /c/plain",
        "RUN --mount=type=cache,target=/c,id=nest-from-@nonce,from=@rich,source=/srv/app ls /c > /tmp/1",
        "RUN --mount=type=cache,target=/c,id=nest-from-@nonce,from=@base,source=/srv/app ls /c > /tmp/2",
    ),
    _run(
        "cache-relative-id",
        "WORKDIR /one",
        "RUN --mount=type=cache,target=c-@nonce touch c-@nonce/f",
        "WORKDIR /two",
        "RUN --mount=type=cache,target=./c-@nonce ls c-@nonce > /tmp/f",
        differs="proot-mount-points",
    ),
    _run("mount-type-unknown", "RUN --mount=type=nothing,target=/m true", refused="nothing"),
    _run("mount-field-unknown", "RUN --mount=type=bind,nothing=1,target=/m true", refused="nothing"),
    _run("mount-from-variable", "ARG F=@rich", "RUN --mount=from=$F,target=/m true", refused="no variable"),
    _run("mount-quoted", 'RUN --mount=type=tmpfs,"target=/t" touch /t/f'),
    _run("mount-empty", "RUN --mount= true", refused="mount"),
]

CASES = [*CHANGES, *COMMANDS, *HEREDOCS, *MOUNTS]
