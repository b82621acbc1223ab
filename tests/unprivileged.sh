#!/bin/bash
# Run a command of this checkout as Binder would: an ordinary user in a container, no new privileges, no capabilities,
# Docker's seccomp filter, so no namespaces, no mounts. Needs Docker and a made .venv; as root it installs mmdebstrap.
#   tests/unprivileged.sh                         the notebooks on the embedded engine
#   tests/unprivileged.sh COMMAND ARGUMENT...     e.g. .venv/bin/python -m pytest tests/embedded
# The command runs in a copy of the checkout, so nothing it writes comes back.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$checkout/.venv/bin/python
packages=python3,proot,debian-archive-keyring,ca-certificates,git,libncursesw6,libreadline8,libgdbm6
[ $# != 0 ] || set -- .venv/bin/python -m tools.suite engine notebooks
[ -x "$python" ] || { echo "There is no $python: run ./make lab first." >&2; exit 1; }
docker version >/dev/null || { echo "Docker does not answer, and this test needs it." >&2; exit 1; }

# The image has the suite of this machine, so that this machine's Python runs in it.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:?no Debian suite in /etc/os-release}")
image=dockerlab/test-unprivileged:$suite

make_image() {
    local mirror folder
    if ! command -v mmdebstrap >/dev/null; then
        [ "$(id -u)" = 0 ] || { echo "Install the package mmdebstrap (apt-get install mmdebstrap)." >&2; return 1; }
        apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
    fi
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Codename: $suite" | head -1)
    [ -n "$mirror" ] || { echo "apt has no source for $suite: run apt-get update." >&2; return 1; }
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' RETURN
    mmdebstrap --quiet --variant=minbase --include="$packages,usr-is-merged" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --customize-hook='chmod 755 "$1/root"; echo lab:x:1000:1000::/home/lab:/bin/bash >>"$1/etc/passwd"' \
        --customize-hook='echo lab:x:1000: >>"$1/etc/group"; install -d -o 1000 -g 1000 "$1/home/lab"' \
        "$suite" "$folder/root.tar" "$mirror"
    docker import --change 'LABEL dev.dockerlab=1' --change 'ENV LANG=C.UTF-8' "$folder/root.tar" "$image" >/dev/null
}

docker image inspect "$image" >/dev/null 2>&1 || { echo "Making $image (once)."; make_image; }

mounts=(--volume "$checkout:$checkout:ro")
base=$("$python" -c 'import sys; print(sys.base_prefix)')
[ "$base" = /usr ] || mounts+=(--volume "$base:$base:ro")
settings=(--env DOCKERLAB_ENGINE=embedded --env HOME=/home/lab --env PYTHONDONTWRITEBYTECODE=1)
# Where TLS is inspected, what runs inside must trust the same certificates as this machine.
if [ -n "${SSL_CERT_FILE:-}" ]; then
    mounts+=(--volume "$SSL_CERT_FILE:/etc/host-certificates.crt:ro")
    settings+=(--env SSL_CERT_FILE=/etc/host-certificates.crt)
fi
for name in DOCKERLAB_SANDBOX http_proxy https_proxy no_proxy CI; do
    [ -z "${!name:-}" ] || settings+=(--env "$name")
done

# shellcheck disable=SC2016 # expanded inside
exec docker run --rm --init --network host --user 1000:1000 --security-opt no-new-privileges --cap-drop ALL \
    "${mounts[@]}" "${settings[@]}" --env CHECKOUT="$checkout" --workdir /home/lab "$image" bash -c '
        set -eo pipefail
        mkdir checkout
        tar -C "$CHECKOUT" -c --exclude=./.venv --exclude=./.git --exclude=./.lab --exclude=./.hypothesis --exclude="./.*_cache" . | tar -C checkout -x
        ln -s "$CHECKOUT/.venv" checkout/.venv
        cd checkout
        export PYTHONPATH=$PWD PATH=$PWD/.venv/bin:$PATH
        exec "$@"' unprivileged "$@"
