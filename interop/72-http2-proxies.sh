#!/usr/bin/env bash
# WebSockets over HTTP/2 (RFC 8441) through haproxy, nghttpx, Caddy and Apache httpd: from each client over HTTP/2 to the proxy, and
# from the proxy to our server over HTTP/2 where it can, else over HTTP/1.1; our client in front of Python's servers.
# apt: haproxy nghttp2-proxy apache2-bin openssl
source "$(dirname "$0")/lib/setup.bash"
PATH=$PATH:/usr/sbin
need_programs haproxy nghttpx apache2 openssl
build
need_python
need_python_http2
need_certificate
cat "$certificate" "$key" >"$work/$name.pem"
caddy=$(dirname "$python")/caddy
for version in "$(haproxy -v | head -n 1)" "$(nghttpx --version)" "Caddy $("$caddy" version)" "$(apache2 -v | head -n 1)"; do
    echo "$name: $version"
done

start ours "$programs/echo" --listen 127.0.0.1:0 --compress
ours=${address#ws://}
start theirs "$python" interop/peers/server.py --compress
theirs=${address#ws://}
start theirs-http2 "$python" interop/peers/http2/server.py --compress
theirs_http2=${address#ws://}

# haproxy speaks HTTP/2 to a server with `proto h2`, for WebSockets too with `ws h2`.
haproxy_to_http2=$(free_port)
haproxy_to_http1=$(free_port)
haproxy_to_theirs=$(free_port)
bind="ssl crt $work/$name.pem alpn h2,http/1.1"
cat >"$work/$name.haproxy.conf" <<END
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 60s
listen http2
    bind 127.0.0.1:$haproxy_to_http2 $bind
    server one $ours proto h2 ws h2
listen http1
    bind 127.0.0.1:$haproxy_to_http1 $bind
    server one $ours
listen theirs
    bind 127.0.0.1:$haproxy_to_theirs $bind
    server one $theirs_http2 proto h2 ws h2
END
listen_at "$haproxy_to_theirs" haproxy haproxy -db -f "$work/$name.haproxy.conf"

nghttpx_to_http2=$(free_port)
nghttpx_to_theirs=$(free_port)
nghttpx() { # nghttpx PORT BACKEND
    listen_at "$1" "nghttpx.$1" env nghttpx --conf=/dev/null --no-ocsp --single-process --frontend="127.0.0.1,$1" \
        --backend="${2%:*},${2##*:};;proto=h2" "$key" "$certificate"
}
nghttpx "$nghttpx_to_http2" "$ours"
nghttpx "$nghttpx_to_theirs" "$theirs_http2"

# Go's server permits WebSockets over HTTP/2 with this GODEBUG only. Caddy speaks HTTP/1.1 to a server for them, also where
# `h2c://` is configured, and fails there.
caddy_to_http1=$(free_port)
caddy_to_http2=$(free_port)
caddy_to_theirs=$(free_port)
site() { # site PORT BACKEND
    printf 'https://localhost:%s {\n\ttls %s %s\n\treverse_proxy %s\n}\n' "$1" "$certificate" "$key" "$2"
}
{
    printf '{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n'
    site "$caddy_to_http1" "$ours"
    site "$caddy_to_http2" "h2c://$ours"
    site "$caddy_to_theirs" "$theirs"
} >"$work/$name.Caddyfile"
listen_at "$caddy_to_theirs" caddy env GODEBUG=http2xconnect=1 XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" \
    "$caddy" run --config "$work/$name.Caddyfile" --adapter caddyfile

# Apache httpd 2.4.71 passes the end of the server's half on only after the client's, and a message that a server sends with its
# 101 sometimes stays in it until the next. So only ws runs through it, which ends its half after 5 s.
apache_port=$(free_port)
modules=/usr/lib/apache2/modules
cat >"$work/$name.apache.conf" <<END
ServerRoot $work
ServerName localhost
PidFile $work/$name.apache.pid
ErrorLog /dev/stderr
$(for module in mpm_event authz_core ssl http2 proxy proxy_http; do echo "LoadModule ${module}_module $modules/mod_$module.so"; done)
User #$(id -u nobody)
Group #$(id -g nobody)
Listen 127.0.0.1:$apache_port
SSLEngine on
SSLCertificateFile $certificate
SSLCertificateKeyFile $key
Protocols h2 http/1.1
H2WebSockets on
ProxyPass / http://$ours/ upgrade=websocket
ProxyPreserveHost on
END
listen_at "$apache_port" apache apache2 -f "$work/$name.apache.conf" -DFOREGROUND

# What the clients do: text and binary of up to 4 MiB, fragments, compression, pings, close codes, refusals, and 100 WebSockets on one connection.
for proxy in "haproxy $haproxy_to_http2 HTTP/2" "haproxy $haproxy_to_http1 HTTP/1.1" "nghttpx $nghttpx_to_http2 HTTP/2" \
    "Caddy $caddy_to_http1 HTTP/1.1"; do
    read -r what port version <<<"$proxy"
    for compress in "" --compress; do
        step "h2 and wsproto → $what → our server over $version ${compress:-plain}" "$python" interop/peers/http2/client.py \
            "https://localhost:$port" $compress
    done
done
for proxy in "haproxy $haproxy_to_http2" "nghttpx $nghttpx_to_http2"; do
    read -r what port <<<"$proxy"
    for compress in "" --compress; do
        step "websockets over HTTP/1.1 → $what → our server over HTTP/2 ${compress:-plain}" "$python" interop/peers/client.py \
            "wss://localhost:$port/echo" $compress
    done
done

# exchange URL: ws sends lines, and receives them back.
exchange() {
    { seq 1 2000; sleep "$patience"; } | "$ws" --http2 "$1" --cacert "$certificate" | cmp - <(seq 1 2000) || fail "not what was sent to $1"
    echo "2000 lines"
}
export -f exchange fail
export ws name certificate patience=0
for proxy in "haproxy $haproxy_to_http2" "nghttpx $nghttpx_to_http2" "Caddy $caddy_to_http1" "Apache $apache_port"; do
    read -r what port <<<"$proxy"
    step "ws over HTTP/2 → $what → our server" bash -c 'exchange "$@"' - "wss://localhost:$port/echo"
done
# Python's websockets sends no message after our Close, so ours waits for the echoes.
patience=1
for proxy in "haproxy $haproxy_to_theirs HTTP/2" "nghttpx $nghttpx_to_theirs HTTP/2" "Caddy $caddy_to_theirs HTTP/1.1"; do
    read -r what port version <<<"$proxy"
    step "ws over HTTP/2 → $what → Python over $version" bash -c 'exchange "$@"' - "wss://localhost:$port/echo"
done
said=$("$ws" --http2 --cacert "$certificate" "wss://localhost:$caddy_to_http2/echo" 2>&1 </dev/null) || true
echo "$name: Caddy with h2c:// to our server: $said"
