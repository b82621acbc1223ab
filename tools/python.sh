#!/bin/sh
# Prints the Python to use: $PYTHON, else the first of python3, python3.13 ... python3.10 that is 3.10 to 3.13.
set -eu
if [ -n "${PYTHON:-}" ]; then
    echo "$PYTHON"
    exit 0
fi
newer=
for name in python3 python3.13 python3.12 python3.11 python3.10; do
    command -v "$name" >/dev/null 2>&1 || continue
    case $("$name" -c 'import sys; print("%d.%02d" % sys.version_info[:2])' 2>/dev/null) in
        3.10 | 3.11 | 3.12 | 3.13)
            echo "$name"
            exit 0
            ;;
        3.1[4-9] | 3.[2-9][0-9]) newer=$name ;;
    esac
done
if [ -n "$newer" ]; then
    echo "$newer" # newer than what the tests run on; nothing is known to be wrong with it
    exit 0
fi
echo "Python 3.10 or later is needed; found: $(python3 --version 2>&1 || echo none)." >&2
echo "Install one (for example python3.12), or name it: PYTHON=/path/to/python3 make lab" >&2
exit 1
