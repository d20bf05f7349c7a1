#!/usr/bin/env bash
# Installs the Autobahn WebSocket test suite (wstest) into one private folder.
#
#   install-python2.sh PREFIX        afterwards: PREFIX/bin/wstest --help
#
# wstest is Python 2.7 code. This unpacks Debian 11's python2.7 packages into
# PREFIX and adds the pinned, hash-checked Python packages from PyPI next to it.
# Nothing is installed on the system and its apt sources stay as they are.
# PREFIX can be moved or cached as a whole; running again does nothing when this
# very recipe is already in it.
#
# Needs: linux/amd64 with apt-get and Debian's archive keyring (Debian 11 or
# newer), and gcc for one small C extension. Root is not needed.
#
# WSTEST_DEBIAN_MIRRORS: where Debian 11 is looked for, in order (space-separated);
# by default the mirrors that the system's apt uses.
set -euo pipefail

die() {
  echo "install-python2: $*" >&2
  exit 1
}

[ $# -eq 1 ] || die "usage: install-python2.sh PREFIX"
for tool in apt-get dpkg dpkg-deb "${CC:-gcc}"; do
  command -v "$tool" >/dev/null || die "$tool is missing"
done
[ "$(dpkg --print-architecture)" = amd64 ] || die "only amd64 packages are pinned here"

# Also what apt-get update has not fetched yet.
MIRRORS=${WSTEST_DEBIAN_MIRRORS:-$(apt-get indextargets --no-release-info --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
  grep -E '/debian/?$' | sort -u | tr '\n' ' ' || true)}
[ -n "$MIRRORS" ] || die "apt knows no Debian mirror; name one in WSTEST_DEBIAN_MIRRORS"
SUITE=bullseye
DEBS=(
  python2.7-minimal=2.7.18-8+deb11u1
  libpython2.7-minimal=2.7.18-8+deb11u1
  libpython2.7-stdlib=2.7.18-8+deb11u1
  libpython2.7-dev=2.7.18-8+deb11u1 # headers, while installing
  libssl1.1=1.1.1w-0+deb11u1
  libffi7=3.3-6
  python-pkg-resources=44.1.1-1
  python-setuptools=44.1.1-1
  python-pip-whl=20.3.4-4+deb11u1 # pip, while installing
)

recipe=$(sha256sum <"${BASH_SOURCE[0]}" | cut -d' ' -f1)
if [ "$(cat "$1/.recipe" 2>/dev/null)" = "$recipe" ]; then
  echo "install-python2: $1 is up to date"
  exit 0
fi

mkdir -p "$1"
prefix=$(cd "$1" && pwd)
rm -rf "$prefix/python" "$prefix/bin" "$prefix/.recipe" "$prefix/.work"
work=$prefix/.work
mkdir -p "$prefix/python" "$prefix/bin" "$work"
trap 'rm -rf "$work"' EXIT

# --- Debian packages, through an apt that knows Debian 11 only ------------------
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || die "$keyring is missing (package debian-archive-keyring)"

fetch_debs() { # MIRROR
  local apt=$work/apt
  rm -rf "$apt"
  mkdir -p "$apt"/{sources,lists/partial,cache/archives/partial,debs}
  : >"$apt/status"
  echo "deb [arch=amd64 signed-by=$keyring] $1 $SUITE main" >"$apt/sources/only.list"
  # Read after the system's own configuration, so that its proxies keep working.
  cat >"$apt/apt.conf" <<EOF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$apt/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF
  apt-get -qq -c "$apt/apt.conf" update &&
    (cd "$apt/debs" && apt-get -qq -c "$apt/apt.conf" download "${DEBS[@]}")
}

fetched=
for mirror in $MIRRORS; do
  echo "install-python2: Debian packages ($SUITE) from $mirror"
  if fetch_debs "$mirror"; then
    fetched=1
    break
  fi
done
[ -n "$fetched" ] || die "the packages of Debian $SUITE are at none of: $MIRRORS"
for deb in "$work"/apt/debs/*.deb; do dpkg-deb -x "$deb" "$prefix/python"; done

# --- Python packages --------------------------------------------------------------
py=$prefix/python/usr
pip_wheels=$(printf '%s:' "$py"/share/python-wheels/*.whl)

cat >"$work/requirements.txt" <<'PINS'

argparse==1.4.0 --hash=sha256:c31647edb69fd3d465a847ea3157d37bed1f95f19760b11a47aa91c04b666314
attrs==19.3.0 --hash=sha256:08a96c641c3a74e44eb59afb61a24f2cb9f4d7188748e76ba4bb5edfa3cb7d1c
autobahn==0.10.9 --hash=sha256:3fecc1e2a26a0421128ddcfb4e577f0bc669dd65d0e0fdad1c773965cbcef75a
autobahntestsuite==25.10.1 --hash=sha256:b57ee6b22de624a03256878ad453c9897d2ad7ee08a4c38b35ee2847637e1383
Automat==0.8.0 --hash=sha256:81c93c55d2742c55e74e6497a48e048a859fa01d7aa0b91a032be432229837e2
cffi==1.15.1 --hash=sha256:ed9cb427ba5504c1dc15ede7d516b84757c3e3d7868ccc85121d9310d27eed0b
constantly==15.1.0 --hash=sha256:dd2fa9d6b1a51a83f0d7dd76293d734046aa176e384bf6e33b7e44880eb37c5d
cryptography==3.3.2 --hash=sha256:c7390f9b2119b2b43160abb34f63277a638504ef8df99f11cb52c1fda66a2e6f
enum34==1.1.10 --hash=sha256:a98a201d6de3f2ab3db284e70a33b0f896fbf35f8086594e8c9e74b909058d53
hyperlink==19.0.0 --hash=sha256:ab4a308feb039b04f855a020a6eda3b18ca5a68e6d8f8c899cbe9e653721d04f
idna==2.10 --hash=sha256:b97d804b1e9b523befed77c48dacec60e6dcb0b5391d57af6a65a312a90648c0
incremental==16.10.1 --hash=sha256:cc00a35f9e9621ddec0a5e7d17271f3f26244873c4aec67eda06f2db8302e04b
ipaddress==1.0.23 --hash=sha256:6e0f4a39e66cb5bb9a137b00276a2eff74f93b71dcbdad6f10ff7df9d3557fcc
Jinja2==2.11.3 --hash=sha256:03e47ad063331dd6a3f04a43eddca8a966a26ba0c5b7207a9a9e4e08f1b29419
linecache2==1.0.0 --hash=sha256:e78be9c0a0dfcbac712fe04fbf92b96cddae80b1b842f24248214c8496f006ef
MarkupSafe==1.1.1 --hash=sha256:43a55c2930bbc139570ac2452adf3d70cdbb3cfe5912c71cdce1c2c6bbd9c5d1
pycparser==2.21 --hash=sha256:8ee45429555515e1f6b185e78100aea234072576aa43ab53aefcae078162fca9
pyOpenSSL==19.1.0 --hash=sha256:621880965a720b8ece2f1b2f54ea2071966ab00e2970ad2ce11d596102063504
six==1.16.0 --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254
traceback2==1.4.0 --hash=sha256:8253cebec4b19094d67cc5ed5af99bf1dba1285292226e98a31929f87a5d6b23
Twisted==19.10.0 --hash=sha256:776c65270b57ac074d5b7a471142f434b0ac5a8b39d9c974769c855c32abfd91
txaio==2.1.0 --hash=sha256:b94e3dbc83760b68955160fc61a2c34e2798f7a90c41672560f40dfd2946a864
unittest2==1.1.0 --hash=sha256:13f77d0875db6d9b435e1d4f41e74ad4cc2eb6e1d5c824996092b3430f088bb8
wsaccel==0.6.2 --hash=sha256:425706acf0724d2f6bfa391ec37b4ef121d3432c956029de3cea4e101c218e0c
zope.interface==4.6.0 --hash=sha256:bad44274b151d46619a7567010f7cde23a908c6faa84b97598fd2f474a0c6891
PINS

echo "install-python2: Python packages from PyPI"
env -u PYTHONHOME PYTHONPATH="$pip_wheels" PYTHONNOUSERSITE=1 \
  LD_LIBRARY_PATH="$py/lib/x86_64-linux-gnu" \
  CC="${CC:-gcc}" CPATH="$py/include/python2.7:$py/include" \
  "$py/bin/python2.7" -W ignore -m pip install -q --no-cache-dir --no-deps --no-compile \
  --require-hashes -r "$work/requirements.txt" --target "$py/lib/python2.7/dist-packages" \
  >"$work/pip.log" 2>&1 || {
  cat "$work/pip.log" >&2
  die "pip failed"
}

# --- launcher -------------------------------------------------------------------
# wstest itself listens on every interface and, in fuzzingserver mode, also opens
# a web server on port 8080. Here it stays on the loopback interface (change with
# WSTEST_INTERFACE) and the web server is off unless --webport asks for it.
cat >"$prefix/python/launch.py" <<'LAUNCH'
import os

from autobahntestsuite import wstest  # first: it chooses Twisted's reactor
from autobahntestsuite.case.case12_x_x import Case12_X_X, Case13_X_X
from twisted.internet import reactor

INTERFACE = os.environ.get("WSTEST_INTERFACE", "127.0.0.1")


def confined(listen, kept):
    # listen(port, factory, ..., backlog, interface): only the interface changes.
    def wrapped(port, factory, *args, **kwargs):
        kwargs["interface"] = INTERFACE
        return listen(port, factory, *args[:kept], **kwargs)
    return wrapped


reactor.listenTCP = confined(reactor.listenTCP, 1)
reactor.listenSSL = confined(reactor.listenSSL, 2)

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
# Starts the Autobahn test suite installed next to this file.
python=$(dirname -- "$(readlink -f -- "$0")")/../python
unset PYTHONHOME PYTHONPATH
LD_LIBRARY_PATH=$python/usr/lib/x86_64-linux-gnu PYTHONNOUSERSITE=1 PYTHONUNBUFFERED=1 \
  exec "$python/usr/bin/python2.7" -W ignore "$python/launch.py" "$@"
LAUNCH
chmod +x "$prefix/bin/wstest"

# What was only needed for installing goes again.
rm -rf "$py/share" "$py/include" "$py/lib/x86_64-linux-gnu"/{libpython2.7.*,pkgconfig}

"$prefix/bin/wstest" --autobahnversion # also fills Python's byte code caches
echo "$recipe" >"$prefix/.recipe"
echo "install-python2: ready: $prefix/bin/wstest"
