#!/usr/bin/env bash
# Tests our server behind nginx and haproxy with TLS, with websockets, ws and curl as clients; and our client with
# Python's server behind them.
# apt: nginx-light haproxy openssl
source "$(dirname "$0")/lib/setup.bash"
need_programs nginx haproxy openssl curl
build
need_python
need_node
need_certificate
cat "$certificate" "$key" >"$work/$name.pem"

start echo "$programs/echo" --listen 127.0.0.1:0 --compress
ours=${address#ws://}
start server.py "$work/py/bin/python" interop/peers/server.py --compress
theirs=${address#ws://}

# A location for WebSockets as in nginx's documentation: HTTP/1.1, the hop-by-hop fields forwarded, and Host, which our
# check of Origin needs. The timeout is longer than the 20 s between our pings, which keep the connection in use.
nginx_port=$(free_port)
nginx_to_theirs=$(free_port)
mkdir -p "$work/$name.nginx"
site() { # site PORT BACKEND
    cat <<END
    server {
        listen 127.0.0.1:$1 ssl http2;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / {
            proxy_pass http://$2;
            proxy_http_version 1.1;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_read_timeout 60s;
            proxy_send_timeout 60s;
        }
    }
END
}
cat >"$work/$name.nginx.conf" <<END
daemon off;
master_process off;
pid $work/$name.nginx/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $work/$name.nginx/body;
    proxy_temp_path $work/$name.nginx/proxy;
    fastcgi_temp_path $work/$name.nginx/fastcgi;
    uwsgi_temp_path $work/$name.nginx/uwsgi;
    scgi_temp_path $work/$name.nginx/scgi;
    map \$http_upgrade \$connection_upgrade { default upgrade; '' close; }
$(site "$nginx_port" "$ours")
$(site "$nginx_to_theirs" "$theirs")
}
END
listen_at "$nginx_port" nginx nginx -p "$work/$name.nginx" -e stderr -c "$work/$name.nginx.conf"

# haproxy supports the upgrade; `timeout tunnel` applies after it.
haproxy_port=$(free_port)
haproxy_to_theirs=$(free_port)
haproxy_stats=$(free_port)
cat >"$work/$name.haproxy.conf" <<END
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 60s
listen ours
    bind 127.0.0.1:$haproxy_port ssl crt $work/$name.pem alpn h2,http/1.1
    option forwardfor
    # Over HTTP/1.0, without Host.
    option httpchk GET /healthz
    server one $ours check inter 200ms
listen stats
    bind 127.0.0.1:$haproxy_stats
    stats enable
    stats uri /stats
listen theirs
    bind 127.0.0.1:$haproxy_to_theirs ssl crt $work/$name.pem alpn http/1.1
    server one $theirs
END
listen_at "$haproxy_port" haproxy haproxy -db -f "$work/$name.haproxy.conf"

# Its health check, whose state is in the columns check_status and check_code.
healthy() {
    for _ in $(seq 100); do
        if curl --silent --noproxy '*' "http://127.0.0.1:$haproxy_stats/stats;csv" | grep '^ours,one,' | grep -q ',L7OK,200,'; then
            steps=$((steps + 1))
            echo "  ok  haproxy: its health check over HTTP/1.0 gets 200"
            return
        fi
        sleep 0.1
    done
    fail "haproxy's health check does not get 200: $(curl --silent --noproxy '*' "http://127.0.0.1:$haproxy_stats/stats;csv")"
}
healthy

# answers STATUS COMMAND...: checks curl's last status; the end of the connection does not matter.
answers() {
    local expected=$1 found
    shift
    found=$(curl --silent --max-time 2 --noproxy '*' --cacert "$certificate" --output /dev/null --write-out '%{http_code}' "$@") || true
    [ "$found" = "$expected" ] || fail "status $found instead of $expected: curl $*"
    steps=$((steps + 1))
    echo "  ok  $what: $expected for curl ${*: -1}"
}
upgrade=(--http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'
    -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')

for proxy in "nginx $nginx_port $nginx_to_theirs" "haproxy $haproxy_port $haproxy_to_theirs"; do
    read -r what to_ours to_theirs <<<"$proxy"
    url=localhost:$to_ours
    for compress in "" --compress; do
        step "websockets → $what → our server ${compress:-plain}" "$work/py/bin/python" interop/peers/client.py "wss://$url/" $compress
        step "our client → $what → websockets ${compress:-plain}" "$programs/interop_client" "wss://localhost:$to_theirs" --roots "$certificate" $compress
    done
    step "ws → $what → our server" node interop/peers/client.js "wss://$url/"
    answers 200 --http2 "https://$url/"
    answers 200 --http1.1 "https://$url/healthz"
    answers 101 "${upgrade[@]}" -H "Origin: https://$url" "https://$url/echo"
    answers 403 "${upgrade[@]}" -H 'Origin: https://evil.example' "https://$url/echo"
    answers 404 "${upgrade[@]}" "https://$url/no-such-path"
done
