#!/bin/sh
# Prints the Python to use: $PYTHON, else the first of python3, python3.14 ... python3.10 that is 3.10 to 3.14, else one
# that is newer than the tests know.
set -eu
version() { "$1" -c 'import sys; print("%d.%02d" % sys.version_info[:2])' 2>/dev/null || true; }
newer=
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
    case $(version "$name") in
        3.1[0-4])
            echo "$name"
            exit 0
            ;;
        3.1[5-9] | 3.[2-9][0-9]) newer=${newer:-$name} ;;
    esac
done
if [ -n "$newer" ]; then
    echo "$newer"
    exit 0
fi
echo "Python 3.10 or later is needed; found: $("${PYTHON:-python3}" --version 2>&1 || echo none)." >&2
echo "Install one (for example python3.12), or name it: PYTHON=/path/to/python3 make lab" >&2
exit 1
