#!/usr/bin/env bash
# Tests our server under systemd's tools: a socket from systemd-socket-activate, the units of the how-to under systemd-analyze.
# Readiness, watchdog and restarts under load are tested by `cargo test -p ws-cli --test service`.
# apt: systemd python3 python3-yaml
source "$(dirname "$0")/lib/setup.bash"
need_programs systemd-socket-activate systemd-analyze python3
cargo build --release --quiet -p ws-cli
page=ws-server/docs/service.md

# check DESCRIPTION FUNCTION: as `step`, for a function of this script.
check() {
    if ! (set -e; "$2") >"$work/$name.step.log" 2>&1; then
        sed 's/^/    /' "$work/$name.step.log" >&2
        fail "failed: $1"
    fi
    steps=$((steps + 1))
    echo "  ok  $1  $(tail -n 1 "$work/$name.step.log")"
}

# block MARK: the text of the code block of the how-to that has this line.
block() {
    awk -v mark="$1" '/^```/ { if (inside && found) { printf "%s", text; exit } inside = !inside; text = ""; found = 0; next }
        inside { text = text $0 "\n"; if (index($0, mark)) found = 1 }' "$page"
}

units() {
    mkdir -p "$work/units"
    block '/system/ws.socket' >"$work/units/ws.socket"
    # The command of the unit is our build.
    block '/system/ws.service' | sed "s|/usr/local/bin/ws|$ws|" >"$work/units/ws.service"
    grep -q '^ListenStream=' "$work/units/ws.socket"
    grep -q "^ExecStart=$ws serve" "$work/units/ws.service"
    systemd-analyze verify --man=no --recursive-errors=no "$work/units/ws.socket" "$work/units/ws.service" >"$work/units/said" 2>&1
    # What it says of other units of the machine is not ours.
    if grep -E 'units/ws\.(socket|service)|ws\.(socket|service):' "$work/units/said"; then return 1; fi
}
check "systemd accepts the units of the how-to" units

manifest() {
    block 'kind: Deployment' | python3 -c '
import sys, yaml
pod = yaml.safe_load(sys.stdin)["spec"]["template"]["spec"]
container = pod["containers"][0]
pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
# The default drain_timeout is 10 s.
assert pod["terminationGracePeriodSeconds"] > pause + 10
assert container["readinessProbe"]["tcpSocket"]["port"] == container["ports"][0]["containerPort"]
print("grace", pod["terminationGracePeriodSeconds"], "s")'
}
check "the manifest leaves the time to drain" manifest

port=$(free_port)
systemd-socket-activate --listen "127.0.0.1:$port" "$ws" serve --host any >"$work/$name.activated.log" 2>&1 </dev/null &
activated=$!
started+=("$activated")
first() {
    for _ in $(seq 100); do
        if "$ws" "ws://127.0.0.1:$port" --once -m 'first' 2>/dev/null; then return; fi
        sleep 0.1
    done
    return 1
}
check "the first connection starts the server, and is answered" first
step "so is the next" "$ws" "ws://127.0.0.1:$port" --once -m 'second'
# systemd-socket-activate has become the server.
kill -TERM "$activated"
wait "$activated" || fail "SIGTERM ended the server with status $?, not 0"
