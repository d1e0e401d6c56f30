#!/bin/sh
# Print a Python >= 3.12 that has venv: from $PYTHON, PATH, then pyenv. Otherwise say what to install.
works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not ((3, 12) <= sys.version_info[:2] < (3, 15)))' >/dev/null 2>&1
}
for name in ${PYTHON:-} python3.13 python3.12 python3.14 python3 python; do
    path=$(command -v "$name" 2>/dev/null) || continue
    if works "$path"; then echo "$path"; exit 0; fi
done
for version in 3.13 3.12 3.14; do
    for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/python; do
        if [ -x "$path" ] && works "$path"; then echo "$path"; exit 0; fi
    done
done
echo "Second Light needs Python 3.12 or newer, and found none on PATH or under pyenv." >&2
echo "Install one (for example 'pyenv install 3.13', 'apt install python3.12-venv' or https://www.python.org/downloads/)" >&2
echo "or name one: make PYTHON=/path/to/python3.12 $*" >&2
exit 1
