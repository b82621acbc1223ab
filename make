#!/bin/sh
# `make`, for a machine that may not have it yet: brings the system packages (make is one of them), then runs make.
# Where make is installed, `make lab` and `./make lab` are the same.
set -eu
cd "$(dirname "$0")"
case "${1:-}" in
    test*) sh tools/packages.sh test ;;
    *) sh tools/packages.sh lab ;;
esac
exec make "$@"
