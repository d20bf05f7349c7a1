#!/usr/bin/env bash
# WebSockets over HTTP/2 (RFC 8441) with Python: our server and client with h2 and wsproto, without and with compression, plain and over
# TLS; our client with hypercorn.
# apt: openssl
source "$(dirname "$0")/lib/setup.bash"
build
need_python
need_python_http2
need_certificate

# What ws sends: 2000 short lines, and one of 1 MiB.
lines() {
    seq 1 2000
    head -c 1048576 /dev/zero | tr '\0' x
    echo
}
# exchange URL OPTIONS...: ws sends lines, and receives them back.
exchange() {
    local url=$1
    shift
    { lines; sleep "$patience"; } | "$ws" --http2 "$@" "$url" | cmp - <(lines) || fail "not what was sent to $url"
    echo "2000 short lines, and one of 1 MiB"
}
export -f exchange lines fail
export ws name patience=0
client=$programs/interop_client

for compress in "" --compress; do
    start ours "$programs/echo" --listen 127.0.0.1:0 $compress
    step "h2 and wsproto → our server ${compress:-plain}" "$python" interop/peers/http2/client.py "http://${address#*://}" $compress
    stop
    start theirs "$python" interop/peers/http2/server.py $compress
    step "our command → h2 and wsproto ${compress:-plain}" bash -c 'exchange "$@"' - "$address/echo" $compress
    step "our client → h2 and wsproto ${compress:-plain}" "$client" "$address" --http2 $compress
    stop
done
start ours "$programs/echo" --listen 127.0.0.1:0 --compress --tls "$certificate" "$key"
step "h2 and wsproto → our server over TLS" "$python" interop/peers/http2/client.py "https://localhost:${address##*:}" --compress
start theirs "$python" interop/peers/http2/server.py --compress --tls "$certificate" "$key"
step "our client → h2 and wsproto over TLS" "$client" "wss://localhost:${address##*:}" --http2 --compress --roots "$certificate"
step "our command → h2 and wsproto over TLS" bash -c 'exchange "$@"' - "wss://localhost:${address##*:}/echo" --cacert "$certificate" --compress

# hypercorn 0.18 replies to our Close with its own but never ends its half of the stream, which a client waits for (RFC 6455
# section 7.1.1, RFC 8441 section 5), and has forgotten the stream by then: END_STREAM from the client, an empty DATA frame on an open
# stream (RFC 9113 section 5.1), raises a KeyError in it and ends the connection of all WebSockets. So ws takes 5 s here.
hypercorn_port=$(free_port)
PYTHONPATH=interop/peers/http2 listen_at "$hypercorn_port" hypercorn \
    "$(dirname "$python")/hypercorn" --bind "127.0.0.1:$hypercorn_port" hypercorn_app:app
# For the same reason interop_client, which opens one WebSocket after another, is not used. Nor does hypercorn send a message after our Close, so ours waits for the echoes.
patience=1 step "our command → hypercorn" bash -c 'exchange "$@"' - "ws://127.0.0.1:$hypercorn_port/echo"
