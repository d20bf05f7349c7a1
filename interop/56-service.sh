#!/usr/bin/env bash
# Tests our server under systemd's tools: a socket from systemd-socket-activate, the units of the how-to (interop/deploy/) under systemd-analyze.
# Readiness, watchdog and restarts under load are tested by `cargo test -p ws-cli --test service`.
# apt: systemd python3
source "$(dirname "$0")/lib/setup.bash"
need_programs systemd-socket-activate systemd-analyze python3
build

units() {
    mkdir -p "$work/units"
    cp interop/deploy/ws.socket "$work/units/ws.socket"
    # The command of the unit is our build.
    sed "s|/usr/local/bin/ws|$ws|" interop/deploy/ws.service >"$work/units/ws.service"
    grep -q '^ListenStream=' "$work/units/ws.socket"
    grep -q "^ExecStart=$ws serve" "$work/units/ws.service"
    systemd-analyze verify --man=no --recursive-errors=no "$work/units/ws.socket" "$work/units/ws.service" >"$work/units/said" 2>&1
    # What it says of other units of the machine is not ours.
    if grep -E 'units/ws\.(socket|service)|ws\.(socket|service):' "$work/units/said"; then return 1; fi
}
check "systemd accepts the units of the how-to" units

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
