#!/bin/sh
# Drives the page of the echo example with a real browser, headless: connect, send, see the echo, close.
# Needs node and npm, and
# apt: chromium
# Screenshots are kept under target/interop.
set -eu
cd "$(dirname "$0")/.."

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
[ -n "$CHROMIUM" ] || { echo "30-browser.sh: no chromium; install it (Debian: apt-get install chromium) or set CHROMIUM" >&2; exit 1; }
command -v npm >/dev/null || { echo "30-browser.sh: no npm; install Node.js (Debian: apt-get install npm)" >&2; exit 1; }

mkdir -p target/interop/node
if [ ! -d target/interop/node/node_modules/playwright-core ]; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --prefix target/interop/node --no-audit --no-fund --silent playwright-core
fi
cargo build -q -p ws-server --example echo

# Runs the example with further options, and the browser against it.
try() {
  name=$1
  shift
  target/debug/examples/echo --listen 127.0.0.1:0 "$@" > "target/interop/echo-$name.log" &
  echo=$!
  trap 'kill $echo 2>/dev/null || true' EXIT
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    page=$(grep -o 'http://[^ ]*' "target/interop/echo-$name.log" || true)
    [ -n "$page" ] && break
    sleep 0.2
  done
  NODE_PATH=target/interop/node/node_modules CHROMIUM=$CHROMIUM timeout 120 node interop/peers/browser.cjs "$name" "$page" $echo
  kill $echo 2>/dev/null || true
  wait $echo 2>/dev/null || true
  trap - EXIT
}

try plain
try compressed --compress
