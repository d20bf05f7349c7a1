#!/usr/bin/env bash
# Tests the JavaScript client of `topics.v1` (ws-topics/js/topics.js) in Node, against a WebSocket that answers what the test wants and when. With a real server it
# is tested in Chromium, by 30-browser.sh.
source "$(dirname "$0")/lib/setup.bash"
need_programs node
step "what the client keeps is bounded" node --test interop/peers/topics/client.mjs
