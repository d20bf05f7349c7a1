#!/usr/bin/env bash
# Installs the Autobahn WebSocket test suite (wstest) into one private folder, on
# Python 3: its Python 2 code is converted mechanically (python3-convert.py, next to this).
#
#   install-python3.sh PREFIX       afterwards: PREFIX/bin/wstest --help
#
# Needs: linux/amd64, Python 3.11 or 3.13 with venv ($PYTHON, default python3).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 1 ] || { echo "usage: install-python3.sh PREFIX" >&2; exit 1; }
recipe=$(cat "${BASH_SOURCE[0]}" "$here/python3-convert.py" "$here/python3-pins.txt" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$1/.recipe" 2>/dev/null)" = "$recipe" ]; then echo "install-python3: $1 is up to date"; exit 0; fi
mkdir -p "$1"; prefix=$(cd "$1" && pwd)
rm -rf "$prefix/venv" "$prefix/bin" "$prefix/.recipe" "$prefix/.work"
mkdir -p "$prefix/bin" "$prefix/.work"; trap 'rm -rf "$prefix/.work"' EXIT

"${PYTHON:-python3}" -m venv "$prefix/venv"
pip=("$prefix/venv/bin/python" -m pip --disable-pip-version-check)
flags=(-q --no-cache-dir --no-deps --require-hashes)
# setuptools first: the two source packages are built with it.
sed -n '/^setuptools==/,/[^\\]$/p' "$here/python3-pins.txt" >"$prefix/.work/setuptools.txt"
"${pip[@]}" install "${flags[@]}" -r "$prefix/.work/setuptools.txt"
"${pip[@]}" install "${flags[@]}" --no-build-isolation -r "$here/python3-pins.txt"

echo 'autobahntestsuite==25.10.1 --hash=sha256:b57ee6b22de624a03256878ad453c9897d2ad7ee08a4c38b35ee2847637e1383' >"$prefix/.work/suite.txt"
"${pip[@]}" download "${flags[@]}" --only-binary=:all: --python-version 2.7 --implementation py --abi none --platform any \
  -d "$prefix/.work" -r "$prefix/.work/suite.txt"
site=$("$prefix/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$prefix/venv/bin/python" -m zipfile -e "$prefix"/.work/autobahntestsuite-*.whl "$site"
"$prefix/venv/bin/python" "$here/python3-convert.py" "$site/autobahntestsuite"

cat >"$prefix/venv/launch.py" <<'LAUNCH'
import os
import sys
import types

import twisted.internet

# wss:// is not supported here, so that pyOpenSSL and cryptography are not needed.
ssl = types.ModuleType("twisted.internet.ssl")
ssl.ClientContextFactory = ssl.optionsForClientTLS = lambda *a: None
sys.modules[ssl.__name__] = twisted.internet.ssl = ssl

from autobahntestsuite import wstest  # before the reactor: it chooses which
from autobahntestsuite.case.case12_x_x import Case12_X_X, Case13_X_X
from twisted.internet import reactor

listen = reactor.listenTCP
reactor.listenTCP = lambda port, factory, backlog=50, interface="": listen(
    port, factory, backlog, os.environ.get("WSTEST_INTERFACE", "127.0.0.1"))
for option in wstest.WsTestOptions.optParameters:
    if option[0] == "webport":
        option[2] = 0
# The cases about compression send up to 130 MB each. With WSTEST_VOLUME they send no more than that number of bytes, but at least one message.
VOLUME = int(os.environ.get("WSTEST_VOLUME", "0"))
for case in Case12_X_X + Case13_X_X if VOLUME else []:
    bounded = max(1, min(case.COUNT, VOLUME // max(1, case.LEN)))
    case.DESCRIPTION = case.DESCRIPTION.replace("%d compressed" % case.COUNT, "%d compressed" % bounded)
    case.COUNT = bounded

wstest.run()
LAUNCH
cat >"$prefix/bin/wstest" <<'LAUNCH'
#!/bin/sh
venv=$(dirname -- "$(readlink -f -- "$0")")/../venv
unset PYTHONHOME PYTHONPATH
PYTHONUNBUFFERED=1 exec "$venv/bin/python" -W ignore "$venv/launch.py" "$@"
LAUNCH
chmod +x "$prefix/bin/wstest"
"$prefix/bin/wstest" --autobahnversion
echo "$recipe" >"$prefix/.recipe"
echo "install-python3: ready: $prefix/bin/wstest"
