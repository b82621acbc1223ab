#!/bin/bash
# Run a command of this checkout as an ordinary user of this machine, as on a learner's laptop: no rights, but user
# namespaces, and ids to give away (subuid(5)). Root makes that user once, and installs the package uidmap if need be.
#   tests/ordinary.sh COMMAND ARGUMENT...     e.g. .venv/bin/python -m pytest tests/engines/embedded
# The command runs in a copy of the checkout, so nothing it writes comes back.
set -euo pipefail
[ $# != 0 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ "$(id -u)" = 0 ] || { cd "$checkout" && exec "$@"; }
user=dockerlab-test
touch /etc/subuid /etc/subgid # useradd(8) gives ids where these are
id "$user" >/dev/null 2>&1 || useradd --no-create-home --shell /bin/bash "$user"
command -v newuidmap >/dev/null || apt-get install -y -qq --no-install-recommends uidmap >/dev/null
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir -p "$home/checkout/.venv"
tar -C "$checkout" -c --exclude=./.venv --exclude=./.git --exclude=./.lab --exclude=./.hypothesis --exclude="./.*_cache" . |
    tar -C "$home/checkout" -x
chown -R "$user:" "$home"
base=$("$checkout/.venv/bin/python" -c 'import sys; print(sys.base_prefix)')

# In mounts of its own, as the checkout and this Python may lie in folders that are root's alone.
unshare --mount --propagation private bash -c '
    set -euo pipefail
    home=$1 checkout=$2 base=$3 user=$4
    shift 4
    mount --bind "$checkout/.venv" "$home/checkout/.venv"
    if [ -d "$checkout/.lab/buildkit" ]; then # what BuildKit made of the conformance cases
        mkdir -p "$home/checkout/.lab/buildkit"
        mount --bind "$checkout/.lab/buildkit" "$home/checkout/.lab/buildkit"
        chown "$user" "$home/checkout/.lab"
    fi
    if ! setpriv --reuid "$user" --regid "$user" --init-groups env test -x "$base/bin/python3"; then
        mount --bind "$base" /mnt
        mount -t tmpfs -o mode=755 tmpfs "/$(cut -d/ -f2 <<<"$base")"
        mkdir -p "$base"
        mount --bind /mnt "$base"
    fi
    cd "$home/checkout"
    exec setpriv --reuid "$user" --regid "$user" --init-groups env HOME="$home" DOCKERLAB_ENGINE=embedded \
        PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PWD" PATH="$PWD/.venv/bin:$PATH" "$@"' \
    ordinary "$home" "$checkout" "$base" "$user" "$@"
