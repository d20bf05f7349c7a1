#!/bin/sh
# Visits the pages of the samples with a headless browser: connects, sends, checks the answers, makes a beginner's
# mistakes, restarts the server. Needs node and npm, and
# apt: chromium
# Saves screenshots of each page in target/interop/pages. It takes about half a minute.
#
#   interop/30-browser.sh            all pages
#   interop/30-browser.sh NAME...    these: echo, repl, chat, feed, topics
set -eu
cd "$(dirname "$0")/.."

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
[ -n "$CHROMIUM" ] || { echo "30-browser.sh: no chromium; install it (Debian: apt-get install chromium) or set CHROMIUM" >&2; exit 1; }
command -v npm >/dev/null || { echo "30-browser.sh: no npm; install Node.js (Debian: apt-get install npm)" >&2; exit 1; }

mkdir -p target/interop/node
if [ ! -d target/interop/node/node_modules/playwright-core ]; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --prefix target/interop/node --no-audit --no-fund --silent playwright-core
fi
# With the features of `cargo test --workspace`, so that what that has built is used.
cargo build -q --workspace --example echo --example repl --example chat --example feed --example topics

NODE_PATH=target/interop/node/node_modules CHROMIUM=$CHROMIUM timeout 300 node interop/peers/browser/main.cjs "$@"
