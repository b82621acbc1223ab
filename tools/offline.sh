#!/bin/bash
# Usage: tools/offline.sh FILE [warm|cold]      FILE: what `dockerlab bundle create FILE` wrote; needs root, for the namespace
# Proves a bundle as a learner uses it, in a network namespace that has loopback and nothing else: the course is installed
# from the file into a new environment, `bundle use`, `start`, and every lesson and solution is run.
#   warm   as the bundle is: the steps of the lessons' builds are done
#   cold   without these steps, so that every apt, pip and npm line runs and gets its packages from the bundle
set -euo pipefail
file=$(realpath "${1:?FILE}")
how=${2:-warm}
[ "${INSIDE:-}" = 1 ] || INSIDE=1 exec unshare --net "$0" "$file" "$how"
ip link set lo up 2>/dev/null || python3 - <<'END'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
END
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
export HOME=$home PIP_CONFIG_FILE=/dev/null DOCKERLAB_HOME=$home/store DOCKERLAB_ENGINE=embedded DOCKER_HOST=unix:///run/no-docker
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL npm_config_registry DOCKERLAB_BASES
took() { printf '%5d s  %s\n' "$((SECONDS - began))" "$1"; }
began=$SECONDS
python3 -m tarfile -e "$file" .
python3 -m venv lab
lab/bin/pip install --quiet --no-index --find-links layer-lab/wheels 'dockerlab[course]'
export PATH=$home/lab/bin:$PATH
took "the course is installed"
rm -rf layer-lab
dockerlab bundle use "$file"
took "the bundle is in use ($(du -sh store | cut -f1) on disk)"
[ "$how" = warm ] || rm -rf store/bundle/steps/*
dockerlab start >/dev/null
cd my-lab
failed=0
for notebook in notebooks/*.ipynb solutions/*.ipynb; do
    began=$SECONDS
    if timeout 900 jupyter nbconvert --execute --to notebook --inplace "$notebook" >../log 2>&1; then
        took "$notebook"
    else
        took "$notebook FAILED"
        tail -25 ../log
        failed=1
    fi
done
exit "$failed"
