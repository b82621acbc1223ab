#!/bin/sh
# Usage: sh tools/setup.sh lab|test
# Makes .venv and installs the course in it. A stamp, written last, says what was installed: with it there is nothing
# to do, without it (first run, interrupted run, changed pyproject.toml) the install is done or finished.
set -eu
want=${1:?lab or test}
cd "$(dirname "$0")/.."
sh tools/packages.sh "$want"
python=$(sh tools/python.sh)

case $want in
    test) extras=course,dev ;;
    *) extras=course ;;
esac
key="$(cksum <pyproject.toml) $(cksum <tools/setup.sh) $PWD"
stamp() { echo ".venv/.installed-$1"; }
installed() { [ -x .venv/bin/python ] && [ "$(cat "$(stamp "$1")" 2>/dev/null)" = "$key" ]; }

# The tests' environment holds all the course needs.
if installed course,dev || installed "$extras"; then exit 0; fi

started=$(date +%s)
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
rm -f .venv/.installed-*
echo "Installing the course's packages into .venv (a minute or two, once)"
if [ -t 1 ]; then quiet=; else quiet=--quiet; fi
.venv/bin/python -m pip install --disable-pip-version-check --progress-bar on $quiet --editable ".[$extras]"
.venv/bin/python -m compileall -q dockerlab # also where Python is told to write none, a command starts quickly
echo "$key" >"$(stamp "$extras").part"
mv "$(stamp "$extras").part" "$(stamp "$extras")"
echo "Installed in $(($(date +%s) - started)) s"
