#!/usr/bin/env bash
# Tests slow links: each run has a separate link between two network namespaces, with a server at one end and a client at
# the other, of which at least one is ours. A transfer takes longer than our keepalive (20 s and 20 s) and much longer than
# our close_timeout (5 s), with the default settings; every byte must arrive, and every end must be clean.
# Needs root, or user namespaces; and /dev/net/tun. All runs at once take about a minute and a half.
# apt: iproute2 openssl util-linux
#
#   interop/60-slow-links.sh            all runs
#   interop/60-slow-links.sh TEXT       the runs whose name contains TEXT
source "$(dirname "$0")/lib/setup.bash"
need_programs ip openssl unshare
only=${1-}

# Namespaces for users, processes, mounts and networks: everything created inside ends with this script.
if [ -z "${SLOW_LINKS_INSIDE-}" ]; then
    build
    need_python
    unshare=(unshare --mount --net --pid --fork --kill-child --mount-proc)
    [ "$EUID" -eq 0 ] || unshare+=(--user --map-root-user)
    "${unshare[@]}" true || fail "network namespaces cannot be created: run this as root, or allow user namespaces"
    [ -w /dev/net/tun ] || fail "/dev/net/tun cannot be opened: load the module tun, and run this as root"
    trap - EXIT
    SLOW_LINKS_INSIDE=1 exec "${unshare[@]}" "$0" "$@"
fi
mount -t tmpfs none /run # where `ip netns` keeps names

python=$work/py/bin/python
slow=interop/peers/slow.py
# For a run, in seconds.
longest=200
runs=()

# over "UP DOWN [DELAY [LOSS [QUEUE]]]" SERVER CLIENT ARGUMENT...: starts a run; lib/slow_link.py describes the units.
over() {
    local link=$1 what="${*:2} over $1"
    [[ $what == *"$only"* ]] || return 0
    (
        name=$name.${#runs[@]}
        server=server${#runs[@]} client=client${#runs[@]} out=$work/$name wait=()
        trap 'kill "${started[@]}" 2>/dev/null || true' EXIT
        ip netns add "$server"
        ip netns add "$client"
        : >"$out.link"
        # shellcheck disable=SC2086
        "$python" interop/lib/slow_link.py "$server" "$client" $link >"$out.link" 2>&1 &
        started+=("$!")
        until grep -q ready "$out.link"; do
            kill -0 "${started[-1]}" 2>/dev/null || { cat "$out.link" >&2; fail "no link"; }
            sleep 0.1
        done
        "serve_$2" "${@:4}"
        begin=${EPOCHREALTIME/./} status=0
        "use_$3" "${@:4}" >"$out.said" 2>"$out.failed" || status=$?
        took=$(((${EPOCHREALTIME/./} - begin) / 100000))
        ok=ok
        [ "$status" -eq 0 ] && [ ! -s "$out.failed" ] || ok=FAILED
        printf '  %-6s %s: %s in %d.%d s, exit status %d\n' "$ok" "$what" "$(tail -n 1 "$out.said")" \
            $((took / 10)) $((took % 10)) "$status"
        [ $ok = ok ] || { sed 's/^/         /' "$out.failed" | cut -c 1-200 | head -n 5 >&2; exit 1; }
    ) &
    runs+=("$!")
}

there() { ip netns exec "$server" "$@"; }
here() { ip netns exec "$client" timeout --kill-after=5 "$longest" "$@"; }

# --- servers: each sets $address ------------------------------------

serve_ours() { start_there interop_server "$programs/interop_server" --listen 10.9.0.1:0; }
serve_ours_tls() { start_there interop_server "$programs/interop_server" --listen 10.9.0.1:0 --tls "$certificate" "$key"; }
serve_python() { wait=(--wait inf) && start_there slow.py "$python" "$slow" serve 10.9.0.1; }
# A TCP server behind the exit of a tunnel; the entry is in the client's namespace.
serve_tunnel() { # serve_tunnel BYTES [SENT]
    there "$python" "$slow" target 127.0.0.1 "$@" >"$out.target" 2>&1 &
    started+=("$!")
    until grep -q tcp "$out.target"; do sleep 0.1; done
    start_there exit "$programs/tunnel" exit 10.9.0.1:0 "127.0.0.1:$(cut -d ' ' -f 2 "$out.target")"
    start entry ip netns exec "$client" "$programs/tunnel" entry 127.0.0.1:9000 "$address/"
}
start_there() { start "$1" ip netns exec "$server" "${@:2}"; }

# --- clients: the last output of each is the number of bytes that arrived -----------------------------

# Lines piped into `ws`, which closes at their end and must print the answer to each. Python's server is requested to close.
use_ws_lines() { # use_ws_lines COUNT [OPTION...]
    { printf '%01000d\n' $(seq "$1"); end; } |
        pipe_into_ws "$(seq -f 'ack %g 1000' "$1")" "$address/ack" "${@:2}" "${wait[@]}"
}
use_ws_message() { # use_ws_message BYTES
    { printf "%0$1d\n" 0; end; } | pipe_into_ws "ack 1 $1" "$address/ack" "${wait[@]}"
}
end() { [ ${#wait[@]} -eq 0 ] || echo end; }
use_ws_echo() { # use_ws_echo COUNT
    printf '%01000d\n' $(seq "$1") >"$out.lines"
    pipe_into_ws "$(<"$out.lines")" "$address/echo" <"$out.lines"
}
use_ws_burst() { # use_ws_burst PATH
    pipe_into_ws "$(for letter in {a..t}; do printf "%0100000d\n" 0 | tr 0 "$letter"; done)" "$address/$1" --wait inf </dev/null
}
# `ws` closes while it is sent data: this takes until the data in transit has arrived, and is clean.
use_ws_middle() {
    local status=0
    here "$ws" --proxy none "$address/burst" --json --once -m x </dev/null >"$out.got" || status=$?
    tail -n 1 "$out.got" | grep -q '"event":"close","code":1000,.*"clean":true' ||
        tail -n 1 "$out.got" | cut -c 1-300 >&2
    echo "$(grep -c '"event":"message"' "$out.got") message, and a Close"
    return "$status"
}
pipe_into_ws() { # pipe_into_ws EXPECTED ARGUMENT...
    local status=0
    here "$ws" --proxy none "${@:2}" >"$out.got" || status=$?
    local expected got
    expected=$(wc -l <<<"$1") got=$(wc -l <"$out.got")
    cmp -s "$out.got" - <<<"$1" || echo "ws printed the wrong lines" >&2
    echo "ws printed $got of $expected lines ($(wc -c <"$out.got") bytes)"
    return "$status"
}
# Python's websockets, or plain TCP for the tunnel.
use_echo() { here "$python" "$slow" echo "$address/echo" "$1"; }
use_lines() { here "$python" "$slow" lines "$address/ack" "$1"; }
use_burst() { here "$python" "$slow" burst "$address/$1"; }
use_tcp() { here "$python" "$slow" tunnel 127.0.0.1 9000 "$1"; }
use_tcp_upload() { # Only the target knows what has arrived.
    here "$python" "$slow" upload 127.0.0.1 9000 "$1" || return
    local waited=0
    until grep -q bytes "$out.target"; do
        waited=$((waited + 1))
        [ "$waited" -lt "$((10 * longest))" ] || { echo "the target has not received the end" >&2; return 1; }
        sleep 0.1
    done
    grep bytes "$out.target"
    grep -qx "$1 bytes" "$out.target" || echo "the target has not received all of $1 bytes" >&2
}

certificate=$work/$name.cert.pem
key=$work/$name.key.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=slow \
    -addext 'subjectAltName=IP:10.9.0.1' -addext 'basicConstraints=critical,CA:FALSE' \
    -keyout "$key" -out "$certificate" 2>/dev/null

# --- the runs ------------------------------------------------------------------------

over "1000 1000" python ws_lines 3000
over "1000 1000" ours ws_lines 3000
over "256 256" ours ws_lines 1500
over "256 256 0 0 256" ours ws_lines 1500
over "128 128 100 0 64" ours ws_lines 800
over "1000 1000 100 1 64" ours ws_lines 2000
over "256 256" ours_tls ws_lines 1500 --cacert "$certificate"
over "256 2000" ours ws_message 2000000
over "256 2000" python ws_message 2000000
over "256 256 0 0 64" ours ws_echo 1500
over "2000 256" ours echo 2500000
over "2000 2000 100 0 128" ours lines 8000
over "2000 256" ours burst burst
over "2000 256 100 0 64" ours burst burst/close
over "2000 256" ours ws_burst burst
over "2000 256" python ws_burst burst
over "2000 256" ours ws_middle
over "2000 256" python ws_middle
over "256 256" tunnel tcp 1500000 1500000
over "256 2000" tunnel tcp_upload 1500000

[ ${#runs[@]} -gt 0 ] || fail "no run has ${only@Q} in its name"
failed=0
for run in "${runs[@]}"; do
    wait "$run" && steps=$((steps + 1)) || failed=$((failed + 1))
done
[ "$failed" -eq 0 ] || fail "$failed of ${#runs[@]} runs failed"
