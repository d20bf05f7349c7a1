#!/usr/bin/env bash
# Visits the pages of the samples with a headless browser: connects, sends, checks the answers, makes a beginner's
# mistakes, restarts the server. Needs node and npm, and
# apt: chromium
# Saves screenshots of each page in target/interop/pages. It takes about half a minute.
#
#   interop/30-browser.sh            all pages
#   interop/30-browser.sh NAME...    these: echo, repl, chat, feed, topics
source "$(dirname "$0")/lib/setup.bash"
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || echo chromium)}
need_programs "$CHROMIUM" npm
need_playwright
build_examples echo repl chat feed topics
export CHROMIUM

limit=300
step "${*:-all pages}" node interop/peers/browser/main.cjs "$@"
