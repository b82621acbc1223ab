#!/bin/bash
# Usage: tools/modern_docker.sh up [overlay2|containerd]... | down     (root on Debian 12 or later)
# The Docker that people have today (28.5, buildx 0.29, from Debian testing) beside the one that is installed: one daemon
# for each image store, both unless one is named, each with mount and network namespaces, data and socket of its own, so
# that nothing touches the installed one. `down` stops them and removes what they hold.
# `up` prints where they are, as lines for a shell or $GITHUB_ENV, on stdout:
#   MODERN_DOCKER_OVERLAY2=unix://...     MODERN_DOCKER_CONTAINERD=unix://...     for DOCKER_HOST
#   MODERN_DOCKER_CONFIG=...              for DOCKER_CONFIG: its buildx; its docker is in the folder's bin
# The first time takes minutes (a Debian of 600 MB below $MODERN_DOCKER_HOME), then seconds. Safe to repeat.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
suite=forky # debootstrap of Debian 12 does not know the name: its script is that of sid, as for every testing
home=${MODERN_DOCKER_HOME:-/var/tmp/dockerlab-modern-docker}
root=$home/root # of both daemons
logs=$home/log

say() { echo "modern_docker: $*" >&2; }
fail() { say "$@"; exit 1; }

show() { # show LOG: its end, and where the rest is
    tail -15 "$1" >&2 || true
    say "all of it is in $1"
}

# thrice SECONDS LOG COMMAND...: a download fails now and then; each try is bounded.
thrice() {
    local limit=$1 log=$2 try
    shift 2
    for try in 1 2 3; do
        timeout --kill-after=20 "$limit" "$@" >"$log" 2>&1 && return
        say "try $try of 3 failed: $*"
    done
    show "$log"
    return 1
}

# within SECONDS CONDITION...: waits for it, and tells whether it came.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

install_helpers() {
    local missing=()
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    command -v slirp4netns >/dev/null || missing+=(slirp4netns) # a network for a namespace, by a process of the host
    [ "${#missing[@]}" != 0 ] || return 0
    say "installing ${missing[*]}"
    thrice 300 "$logs/apt-update.log" apt-get update -qq
    thrice 600 "$logs/apt-install.log" apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# The mirror of Debian that this host already uses, whatever it is called.
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(CREATED_BY)' |
        awk '$3 == "Debian" && $4 == "Packages" && $2 !~ /-/ && !found { found = 1; print $1 }'
}

make_root() {
    local made=$root.part source
    [ ! -d "$root" ] || return 0
    source=$(mirror)
    [ -n "$source" ] || fail "no Debian mirror in this host's apt configuration: run apt-get update"
    say "making a Debian $suite with Docker in $root (once)"
    # shellcheck disable=SC2016 # expanded inside
    thrice 900 "$logs/debootstrap.log" sh -c 'rm -rf "$1" && exec debootstrap --variant=minbase --include=ca-certificates \
        "$2" "$1" "$3" /usr/share/debootstrap/scripts/sid' sh "$made" "$suite" "$source"
    cp /etc/resolv.conf "$made/etc/"
    # A network that looks into TLS has certificates of its own.
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$made/etc/ssl/certs/"
    echo 'Acquire::Check-Valid-Until "false";' >"$made/etc/apt/apt.conf.d/99kept-mirror" # one may keep an older day
    printf '#!/bin/sh\nexit 101\n' >"$made/usr/sbin/policy-rc.d" # installing starts no service
    chmod +x "$made/usr/sbin/policy-rc.d"
    rm -rf "$root"
    mv "$made" "$root"
}

# Docker, and the programs that dockerd calls: git for a git context, xz for an archive, the rest for its network.
packages=(docker.io docker-cli docker-buildx git xz-utils iptables iproute2)
install_packages() {
    # shellcheck disable=SC2016 # dpkg-query's own
    [ "$(chroot "$root" dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed)" != \
        "${#packages[@]}" ] || return 0
    cp /etc/resolv.conf "$root/etc/"
    thrice 300 "$logs/testing-update.log" chroot "$root" apt-get update -q
    thrice 900 "$logs/testing-install.log" chroot "$root" apt-get install -y -q --no-install-recommends "${packages[@]}"
    chroot "$root" apt-get clean
    rm -rf "${root:?}"/var/lib/apt/lists/*
    echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf" # slirp4netns answers there, and asks the host's
    # dockerd looks for git when it starts.
    stop overlay2
    stop containerd
}

answers() { timeout 10 chroot "$root" docker -H "unix:///$1.sock" version >/dev/null 2>&1; }

# The process that a pid file names, if it is still ours: after a restart of the machine the number is another's.
running() { # running STORE dockerd|slirp4netns
    local pid
    pid=$(cat "$home/$1.$2.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && echo "$pid"
}
ended() { ! running "$@" >/dev/null; }
own_network() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

stop() { # stop STORE
    local program pid
    for program in dockerd slirp4netns; do
        if pid=$(running "$1" "$program"); then
            kill "$pid"
            within 30 ended "$1" "$program" || kill -KILL "$pid"
        fi
        rm -f "$home/$1.$program.pid"
    done
    rm -f "$root/$1.sock"
    # A store that many runs have filled makes every later run slow.
    rm -rf --one-file-system "$root/var/lib/docker-$1"
}

start() { # start STORE: a daemon of its own for this image store
    local store=$1 log=$logs/$1.dockerd.log pid
    ! answers "$store" || return 0
    stop "$store"
    cat >"$root/etc/docker/$store.json" <<END
{
  "features": {"containerd-snapshotter": $([ "$store" = containerd ] && echo true || echo false)},
  "storage-driver": "$([ "$store" = containerd ] && echo overlayfs || echo overlay2)",
  "data-root": "/var/lib/docker-$store",
  "exec-root": "/run/docker",
  "pidfile": "/run/docker.pid",
  "hosts": ["unix:///$store.sock"]
}
END
    # The root becomes `/` of a mount namespace, with a /run and a /tmp of its own; the last exec is dockerd.
    setsid env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        unshare --mount --net --propagation private bash -euc '
            mount --bind "$0" "$0"
            cd "$0"
            mount -t proc proc proc
            mount --rbind /dev dev
            mount --rbind /sys sys
            mount -t tmpfs run run
            mount -t tmpfs tmp tmp
            mkdir -p old
            pivot_root . old
            umount -l /old
            cd /
            ip link set lo up
            exec dockerd --config-file "/etc/docker/$1.json"
        ' "$root" "$store" >"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    echo "$pid" >"$home/$store.dockerd.pid"
    within 10 own_network "$pid" || { show "$log"; fail "the namespaces of $store were not made"; }
    setsid slirp4netns --configure --disable-host-loopback "$pid" tap0 \
        >"$logs/$store.slirp4netns.log" 2>&1 </dev/null 9>&- &
    echo "$!" >"$home/$store.slirp4netns.pid"
    within 90 answers_or_ended "$store" "$pid"
    answers "$store" || { show "$log"; stop "$store"; fail "dockerd of $store did not come up"; }
    running "$store" slirp4netns >/dev/null || { show "$logs/$store.slirp4netns.log"; stop "$store"; fail "$store has no network"; }
}
answers_or_ended() { answers "$1" || [ ! -d "/proc/$2" ]; }

link_client() {
    mkdir -p "$home/client/bin" "$home/client/cli-plugins"
    ln -sfn "$root/usr/bin/docker" "$home/client/bin/docker"
    ln -sfn "$root/usr/libexec/docker/cli-plugins/docker-buildx" "$home/client/cli-plugins/docker-buildx"
}

verb=${1:-}
[ $# = 0 ] || shift
stores=("$@")
[ $# != 0 ] || stores=(overlay2 containerd)
for store in "${stores[@]}"; do
    case $store in overlay2 | containerd) ;; *) fail "no store $store: overlay2 or containerd" ;; esac
done
case $verb in up | down) ;; *) fail "up or down, see the top of $0" ;; esac
[ "$(id -u)" = 0 ] || fail "needs root"
mkdir -p "$logs"
exec 9>"$home/lock"
flock --wait 1800 9 || fail "another run holds $home/lock"
for store in "${stores[@]}"; do
    [ "$verb" = up ] || { stop "$store"; continue; }
    install_helpers
    make_root
    install_packages
    link_client
    start "$store"
    echo "MODERN_DOCKER_${store^^}=unix://$root/$store.sock"
done
[ "$verb" = down ] || echo "MODERN_DOCKER_CONFIG=$home/client"
