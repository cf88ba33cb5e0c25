#!/usr/bin/env bash
# Make .venv from the hashed lock. What is missing on this machine is named with the command that installs it.
set -euo pipefail
cd "$(dirname "$0")/.."

mac() { [ "$(uname -s)" = Darwin ]; }
missing=0
need() { # need COMMAND DEBIAN-PACKAGE BREW-PACKAGE
    command -v "$1" >/dev/null 2>&1 && return
    missing=1
    if mac; then echo "missing: $1 — install it with: brew install $3" >&2
    else echo "missing: $1 — install it with: sudo apt-get install -y $2" >&2; fi
}
need git git git
need openssl openssl openssl
need ssh-keygen openssh-client openssh

python=""
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    missing=1
    if mac; then echo "missing: Python 3.11 or newer — install it with: brew install python@3.12" >&2
    else echo "missing: Python 3.11 or newer — install it with: sudo apt-get install -y python3 python3-venv" >&2; fi
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing=1
    echo "missing: venv for $python — install it with: sudo apt-get install -y python3-venv" >&2
fi
[ "$missing" = 0 ] || exit 1

stamp=.venv/.locked
want=$(openssl dgst -sha256 requirements.txt pyproject.toml | openssl dgst -sha256 | awk '{print $NF}')
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -x .venv/bin/outreach ]; then
    exit 0
fi
echo "Setting up .venv (once; a minute or two) …"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
echo "$want" > "$stamp"
