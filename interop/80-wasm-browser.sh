#!/usr/bin/env bash
# ws-client in a browser: its tests of tests/browser, compiled to WebAssembly, in a page and in a worker of a headless
# Chromium, against the sample `echo` and a server that floods, stalls and dies; and the page of the sample `chat` whose client
# is Rust. Needs node and npm, and
# apt: chromium
# apt: chromium-driver
# The tool wasm-bindgen of the lock file's version is installed below target/ by Cargo, which takes some minutes once; the
# rest takes less than one.
source "$(dirname "$0")/lib/setup.bash"

need_programs chromium chromedriver npm
ws-topics/examples/chat_page/build >/dev/null
tools=$target/ci-tools
build_examples echo browser_peer chat
programs=$target/debug/examples

# Of this origin is the page in which the tests run.
page=127.0.0.1:$(free_port)
start echo "$programs/echo" --listen 127.0.0.1:0 --origin "http://$page"
export WS_BROWSER_ECHO=$address
start peer "$programs/browser_peer"
export WS_BROWSER_PEER=$address

# A server that dies when it is asked to, and is away for a second then.
mortal=127.0.0.1:$(free_port)
again() {
    trap 'kill "$peer" 2>/dev/null; exit' TERM
    while :; do
        "$programs/browser_peer" "$mortal" &
        peer=$!
        wait "$peer" || true
        sleep 1
    done
}
listen_at "${mortal#*:}" mortal again
export WS_BROWSER_MORTAL=ws://$mortal

export CHROMEDRIVER=$(command -v chromedriver) WASM_BINDGEN_TEST_ADDRESS=$page WASM_BINDGEN_TEST_TIMEOUT=100
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$tools/bin/wasm-bindgen-test-runner
tests=(cargo test -p ws-client --target wasm32-unknown-unknown --test browser)
"${tests[@]}" --quiet --no-run
step "the tests in a page" env WASM_BINDGEN_USE_BROWSER=1 "${tests[@]}"
step "the tests in a worker" env WASM_BINDGEN_USE_DEDICATED_WORKER=1 "${tests[@]}"

need_playwright
step "the chat page in Rust" env CHROMIUM="$(command -v chromium)" CARGO_TARGET_DIR="$target" \
    node interop/peers/browser/main.cjs rust
