#!/usr/bin/env bash
# WebSockets over HTTP/2 (RFC 8441): our server with Chromium, Node's http2 and our client, and behind haproxy, which speaks
# HTTP/2 to it. Needs node and npm, and
# apt: chromium haproxy openssl
source "$(dirname "$0")/lib/setup.bash"
need_programs chromium haproxy openssl npm
build
need_python
need_node
need_certificate
cat "$certificate" "$key" >"$work/$name.pem"
if [ ! -d "$work/node/node_modules/playwright-core" ]; then
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --prefix "$work/node" --no-audit --no-fund --silent playwright-core
fi

start tls "$programs/echo" --listen 127.0.0.1:0 --compress --tls "$certificate" "$key"
secure=localhost:${address##*:}
start plain "$programs/echo" --listen 127.0.0.1:0 --compress
plain=localhost:${address##*:}

step "Chromium over TLS" env WS_HTTP2_URL="https://$secure/" CHROMIUM="$(command -v chromium)" \
    node interop/peers/browser/main.cjs http2
step "Node's http2 over TLS" node interop/peers/http2_client.js "https://$secure"
step "Node's http2 with prior knowledge" node interop/peers/http2_client.js "http://$plain"

# exchange URL OPTIONS...: ws sends lines of all sizes, and gets them back.
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

# haproxy takes HTTP/1.1 and HTTP/2, and speaks HTTP/2 to our server, for WebSockets too.
haproxy_port=$(free_port)
cat >"$work/$name.haproxy.conf" <<END
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 60s
listen ours
    bind 127.0.0.1:$haproxy_port ssl crt $work/$name.pem alpn h2,http/1.1
    server one $plain proto h2 ws h2
END
listen_at "$haproxy_port" haproxy haproxy -db -f "$work/$name.haproxy.conf"
step "websockets over HTTP/1.1 → haproxy → our server over HTTP/2" "$work/py/bin/python" interop/peers/client.py "wss://localhost:$haproxy_port/"
step "the same, compressed" "$work/py/bin/python" interop/peers/client.py "wss://localhost:$haproxy_port/" --compress
step "ws over HTTP/2 → haproxy → our server over HTTP/2" bash -c 'exchange "$@"' - "wss://localhost:$haproxy_port/" --cacert "$certificate"
