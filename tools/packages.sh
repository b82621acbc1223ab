#!/bin/sh
# Usage: sh tools/packages.sh lab|test
# The system packages `make lab` (or `make test`) needs. Root on Debian or Ubuntu: installs them and says so.
# Anyone else: prints the one line to run and stops. Everything there already: says nothing, takes milliseconds.
set -eu
want=${1:?lab or test}
cd "$(dirname "$0")/.."
missing=
optional=

have() { command -v "$1" >/dev/null 2>&1; }
need() { missing="$missing $1"; }

have make || need make

if ! have "${PYTHON:-python3}"; then
    python=
    need python3
    need python3-venv
else
    python=$(sh tools/python.sh) # too old: it says so, and this ends
fi
if [ -n "$python" ] && ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    # Debian keeps ensurepip in python3.X-venv; python3-venv brings the one of the default python3.
    case $("$python" -c 'import sys; print(sys.executable)') in
        /usr/bin/*) need python3-venv ;;
        *) echo "$python has no venv and ensurepip: use another Python 3.10 or later (PYTHON=/path/to/python3)." >&2; exit 1 ;;
    esac
fi

linux() { [ "$(uname -s)" = Linux ]; }

docker_answers() {
    have docker && timeout 10 docker version >/dev/null 2>&1
}

if linux && ! docker_answers; then
    # Stand-in bases, and proot where it is missing, come as Debian packages, whose signatures are checked with this keyring.
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || [ -e /usr/share/keyrings/debian-archive-keyring.pgp ] ||
        need debian-archive-keyring
fi

# The browser tests drive Chromium through Playwright, whose own node needs libatomic. Ubuntu's chromium is a snap, which
# does not work in a container: they are skipped there, as they are wherever these two are missing.
if [ "$want" = test ] && [ -r /etc/os-release ] && grep -q '^ID=debian' /etc/os-release; then
    [ -n "${CHROMIUM:-}" ] || have chromium || optional="chromium"
    set -- /usr/lib/*/libatomic.so.1
    [ -e "$1" ] || optional="${optional:+$optional }libatomic1"
fi

[ -n "$missing$optional" ] || exit 0

if ! have apt-get; then
    [ -n "$missing" ] || exit 0
    echo "Missing:$missing (Debian's package names). Install them with your package manager, then run this again." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    [ -n "$missing" ] || exit 0  # what is only optional is skipped with a reason by the tests
    echo "Missing system packages. Run this line, then the same command again:" >&2
    echo >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing${optional:+ $optional}" >&2
    echo >&2
    exit 1
fi
echo "Installing system packages:$missing${optional:+ $optional}"
export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086
    apt-get update -q && apt-get install -y -q --no-install-recommends $missing $optional
}
# On a terminal apt's own lines are the progress; in a log they are only wanted when it fails.
if [ -t 1 ]; then
    install || exit 1
else
    said=$(install 2>&1) || {
        echo "$said" >&2
        echo "apt-get could not install:$missing${optional:+ $optional}" >&2
        exit 1
    }
fi
