#!/usr/bin/env bash
# Tests which address our server takes for the client's behind haproxy (PROXY protocol 1 and 2, fields) and nginx (PROXY
# protocol of a stream, fields), plain and with TLS, with curl and our client at addresses of their own on loopback.
# What a client sends itself must change nothing.
# apt: nginx-light libnginx-mod-stream haproxy openssl curl
source "$(dirname "$0")/lib/setup.bash"
need_programs nginx haproxy openssl curl
need_certificate
cat "$certificate" "$key" >"$work/$name.pem"
build

# ours NAME NETWORKS HOW [CHAIN KEY]: starts our server; sets $ours.
ours() {
    local what=$1
    shift
    start "$what" "$programs/client_address" 127.0.0.1:0 "$@"
    ours=${address##*://}
}
ours plain 127.0.0.1 proxy-protocol && plain=$ours
ours tls 127.0.0.1 proxy-protocol "$certificate" "$key" && tls=$ours
ours fields 127.0.0.1 x-forwarded && fields=$ours
ours standard 127.0.0.1 forwarded && standard=$ours
ours off '' none && off=$ours
# Trusts another address than the proxies have.
ours other 127.9.9.9 proxy-protocol && other=$ours

# The command, with a limit of each address and metrics.
start limited "$ws" serve 127.0.0.1:0 --host any --trust-proxies 127.0.0.1 --proxy-protocol --metrics 0 --per-address-max-connections 1
limited=${address##*://}
until metrics=$(grep -oEm1 'http://[0-9.:]+/metrics' "$work/$name.limited.log"); do sleep 0.1; done

for port in v_limited v1 v2 crc v1_tls v2_tls h_fields h_standard h_off h_other n_stream n_stream_tls n_fields; do
    declare "$port=$(free_port)"
done

cat >"$work/$name.haproxy.conf" <<END
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 60s
listen v1
    mode tcp
    bind 127.0.0.1:$v1
    server one $plain send-proxy
listen v2
    mode tcp
    bind 127.0.0.1:$v2
    server one $plain send-proxy-v2 check inter 300ms
listen v_limited
    mode tcp
    bind 127.0.0.1:$v_limited
    server one $limited send-proxy-v2
listen crc
    mode tcp
    bind 127.0.0.1:$crc
    server one $plain send-proxy-v2 proxy-v2-options crc32c,unique-id,authority
listen v1_tls
    mode tcp
    bind 127.0.0.1:$v1_tls
    server one $tls send-proxy
listen v2_tls
    mode http
    bind 127.0.0.1:$v2_tls ssl crt $work/$name.pem alpn http/1.1
    server one $tls send-proxy-v2 ssl verify none
listen h_fields
    mode http
    bind 127.0.0.1:$h_fields ssl crt $work/$name.pem alpn http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    server one $fields
listen h_standard
    mode http
    bind 127.0.0.1:$h_standard
    http-request add-header Forwarded "for=%[src];proto=http;host=\"%[req.hdr(host)]\""
    server one $standard
listen h_off
    mode tcp
    bind 127.0.0.1:$h_off
    server one $off send-proxy
listen h_other
    mode tcp
    bind 127.0.0.1:$h_other
    server one $other send-proxy-v2
END
listen_at "$v1" haproxy haproxy -db -f "$work/$name.haproxy.conf"

mkdir -p "$work/$name.nginx"
module=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -1 || true)
cat >"$work/$name.nginx.conf" <<END
${module:+load_module $module;}
daemon off;
master_process off;
pid $work/$name.nginx/pid;
error_log stderr;
events {}
stream {
    server { listen 127.0.0.1:$n_stream; proxy_pass $plain; proxy_protocol on; }
    server { listen 127.0.0.1:$n_stream_tls; proxy_pass $tls; proxy_protocol on; }
}
http {
    access_log off;
    client_body_temp_path $work/$name.nginx/body;
    proxy_temp_path $work/$name.nginx/proxy;
    fastcgi_temp_path $work/$name.nginx/fastcgi;
    uwsgi_temp_path $work/$name.nginx/uwsgi;
    scgi_temp_path $work/$name.nginx/scgi;
    map \$http_upgrade \$connection_upgrade { default upgrade; '' close; }
    server {
        listen 127.0.0.1:$n_fields ssl;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / {
            proxy_pass http://$fields;
            proxy_http_version 1.1;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto \$scheme;
            proxy_set_header X-Forwarded-Host \$http_host;
        }
    }
}
END
listen_at "$n_fields" nginx nginx -p "$work/$name.nginx" -e stderr -c "$work/$name.nginx.conf"

# page EXPECTED CURL-ARGUMENTS...: what our page answers to a client.
page() {
    local expected=$1 found
    shift
    found=$(curl --silent --max-time 5 --noproxy '*' --cacert "$certificate" --http1.1 "$@") || true
    [[ $found == *"$expected"* ]] || fail "'$found' instead of '$expected': curl $*"
    steps=$((steps + 1))
    echo "  ok  $expected for curl ${*: -1}"
}
# The client forges every field, and a header of the PROXY protocol before its own request.
forged=(-H 'X-Forwarded-For: 203.0.113.9' -H 'Forwarded: for=203.0.113.9;proto=https;host=evil.example'
    -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: evil.example')
for client in 127.0.0.1 127.5.6.7; do
    from=(--interface "$client" "${forged[@]}")
    for port in "$v1" "$v2" "$crc" "$n_stream"; do
        page "client $client secure false host -" "${from[@]}" "http://localhost:$port/"
        page "" "${from[@]}" --haproxy-protocol "http://localhost:$port/log"
    done
    for port in "$v1_tls" "$v2_tls" "$n_stream_tls"; do
        page "client $client secure true host -" "${from[@]}" "https://localhost:$port/"
    done
    [ "$client" = 127.0.0.1 ] && continue # Through fields it would be a trusted proxy itself.
    for port in "$h_fields" "$n_fields"; do
        page "client $client secure true host localhost:$port" "${from[@]}" "https://localhost:$port/"
    done
    page "client $client secure false host localhost:$h_standard" "${from[@]}" "http://localhost:$h_standard/"
    # Directly, such a client is no trusted proxy.
    page "client $client secure false host -" "${from[@]}" "http://$fields/"
    page "client $client secure false host -" "${from[@]}" "http://$standard/"
    page "client $client secure false host -" "${from[@]}" "http://$plain/"
    page "handshake.proxies" --interface "$client" --haproxy-protocol "http://$plain/"
done
# Our client behind each proxy: the handler sees the address. It is that of the proxies too, so it forges no field here.
for url in "ws://localhost:$v1" "ws://localhost:$v2" "wss://localhost:$v1_tls" "wss://localhost:$v2_tls" \
    "ws://localhost:$n_stream" "wss://localhost:$n_stream_tls" "wss://localhost:$h_fields" "wss://localhost:$n_fields"; do
    found=$("$ws" "$url/" --cacert "$certificate" --wait inf </dev/null 2>/dev/null) || true
    secure=false
    case $url in wss*) secure=true ;; esac
    [[ $found == "client 127.0.0.1 secure $secure "* ]] || fail "'$found' at $url"
    steps=$((steps + 1))
    echo "  ok  $found for ws $url"
done
# The log has peer and client.
page "client=127.5.6.7:" "http://$fields/log"
page "client=127.5.6.7:" --interface 127.5.6.7 "http://localhost:$v2/log"
# What an address has open counts for the client and not for the proxy: each of two may have one. The metrics have no addresses, but say
# that a limit of one was reached.
upgrade() {
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time "$1" --noproxy '*' --http1.1 --interface "$2" \
        -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "http://localhost:$v_limited/" || true
}
upgrade 20 127.5.6.7 >/dev/null &
holding=$!
started+=("$holding")
upgrade 20 127.5.6.8 >/dev/null &
started+=("$!")
for _ in $(seq 100); do
    curl --silent --noproxy '*' "$metrics" | grep -qx 'ws_server_websockets_open 2' && break
    sleep 0.1
done
found=$(upgrade 5 127.5.6.7)
[ "$found" = 429 ] || fail "$found instead of 429 for a second WebSocket of one client behind haproxy"
found=$(curl --silent --noproxy '*' "$metrics" | grep -E '^ws_server_(websockets_open |handshakes_refused.*per_address.max_connections)')
expected='ws_server_handshakes_refused_total{reason="per_address.max_connections"} 1
ws_server_websockets_open 2'
[ "$found" = "$expected" ] || fail "the metrics are '$found'"
steps=$((steps + 1))
echo "  ok  each of two clients behind haproxy has its own limit"
# Where it is not set, the answer says what to do.
page "handshake.proxies" "http://localhost:$h_off/"
page "handshake.proxies" "http://localhost:$h_other/"
