#!/usr/bin/env bash
# Tests which address our server takes for the client's behind haproxy (PROXY protocol 1 and 2, fields) and nginx (PROXY
# protocol of a stream, fields), plain and with TLS, with curl and our client at addresses of their own on loopback.
# What a client sends itself must change nothing: not for handlers, not in the log, and not for what the metrics count by address.
# apt: nginx-light libnginx-mod-stream haproxy openssl curl python3
source "$(dirname "$0")/lib/setup.bash"
need_programs nginx haproxy openssl curl python3
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
# limited NAME OPTION...: sets $limited and $metrics.
limited() {
    local what=$1
    shift
    start "$what" "$ws" serve 127.0.0.1:0 --host any --trust-proxies 127.0.0.1 --metrics 0 --per-address-max-connections 1 "$@"
    limited=${address##*://}
    until metrics=$(grep -oEm1 'http://[0-9.:]+/metrics' "$work/$name.$what.log"); do sleep 0.1; done
}
limited l-plain --proxy-protocol && l_plain=$limited plain_metrics=$metrics
limited l-tls --proxy-protocol --cert "$certificate" --key "$key" && l_tls=$limited tls_metrics=$metrics
limited l-fields --forwarded x-forwarded && l_fields=$limited fields_metrics=$metrics

for port in v1 v2 crc v1_tls v2_tls h_fields h_standard h_off h_other n_stream n_stream_tls n_fields \
    l_v1 l_v2 l_n_stream l_v1_tls l_v2_tls l_n_stream_tls l_h_fields l_n_fields; do
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
listen l_v1
    mode tcp
    bind 127.0.0.1:$l_v1
    server one $l_plain send-proxy
listen l_v2
    mode tcp
    bind 127.0.0.1:$l_v2
    server one $l_plain send-proxy-v2
listen l_v1_tls
    mode tcp
    bind 127.0.0.1:$l_v1_tls
    server one $l_tls send-proxy
listen l_v2_tls
    mode http
    bind 127.0.0.1:$l_v2_tls ssl crt $work/$name.pem alpn http/1.1
    server one $l_tls send-proxy-v2 ssl verify none
listen l_h_fields
    mode http
    bind 127.0.0.1:$l_h_fields
    option forwardfor
    server one $l_fields
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
site() { # site LISTEN BACKEND
    cat <<END
    server {
        listen 127.0.0.1:$1;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / {
            proxy_pass http://$2;
            proxy_http_version 1.1;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto \$scheme;
            proxy_set_header X-Forwarded-Host \$http_host;
        }
    }
END
}
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
    server { listen 127.0.0.1:$l_n_stream; proxy_pass $l_plain; proxy_protocol on; }
    server { listen 127.0.0.1:$l_n_stream_tls; proxy_pass $l_tls; proxy_protocol on; }
}
http {
    access_log off;
    client_body_temp_path $work/$name.nginx/body;
    proxy_temp_path $work/$name.nginx/proxy;
    fastcgi_temp_path $work/$name.nginx/fastcgi;
    uwsgi_temp_path $work/$name.nginx/uwsgi;
    scgi_temp_path $work/$name.nginx/scgi;
    map \$http_upgrade \$connection_upgrade { default upgrade; '' close; }
$(site "$n_fields ssl" "$fields")
$(site "$l_n_fields" "$l_fields")
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
        page "This begins with a header of the PROXY protocol" "${from[@]}" --haproxy-protocol "http://localhost:$port/"
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

# sees EXPECTED WORD...: what forging_client.py prints, from $client through $port.
sees() {
    local expected=$1 found
    shift
    found=$(timeout 20 python3 interop/peers/forging_client.py "$client" "$port" "$@")
    # shellcheck disable=SC2053 # It is a pattern.
    [[ $found == $expected ]] || fail "'$found' instead of '$expected' for a client at $client through port $port: $*"
    steps=$((steps + 1))
    found=${found%%$'\n'*}
    echo "  ok  ${found:0:80} for a client at $client: $*"
}
# The handler and the log, through each proxy: each of the clients has an address of its own, and claims another.
number=10
for path in "v1 -" "v2 -" "crc -" "n_stream -" "v1_tls tls" "v2_tls tls" "n_stream_tls tls" \
    "h_fields tls" "n_fields tls" "h_standard -"; do
    read -r path tls <<<"$path"
    port=${!path} client=127.5.6.$number number=$((number + 1)) secure=false scheme=http host=-
    words=()
    if [ "$tls" = tls ]; then words=(tls) secure=true scheme=https; fi
    # Where the proxy ends HTTP, it names the host that it has been asked for.
    case $path in *fields | *standard) host=localhost:$port ;; esac
    echo "$path:"
    sees "101 client $client secure $secure host $host" "${words[@]}"
    # A header of the client's is behind that of the proxy, and the request that it begins is none, or no TLS.
    for header in line binary; do
        case $path in
        *tls | *fields) sees '@(none|400 *)' "${words[@]}" "$header" outside ;;
        esac
        sees '400 *' "${words[@]}" "$header"
    done
    # As a page of the same server shows its log: one that has not claimed anything.
    log=$(curl --silent --max-time 5 --noproxy '*' --cacert "$certificate" --http1.1 --interface 127.5.6.7 "$scheme://localhost:$port/log")
    grep -qE "handshake\{[^}]* peer=127\.0\.0\.1:[0-9]+ [^}]*client=${client//./\\.}:[0-9]+[ }].*: open " <<<"$log" ||
        fail "the log has no WebSocket of $client: $log"
    # Nor does anything that has failed or been refused have the forged address.
    if grep -qE '(client|peer)="?203\.0\.113\.' <<<"$log"; then fail "the log has the forged address: $log"; fi
    steps=$((steps + 2))
    echo "  ok  the log has $client, and not what it claims"
done

# What an address has open counts for the client and not for the proxy: each of two may have one WebSocket, and what one of them claims gives
# it no second one. The metrics have no addresses, but say that a limit of one was reached.
metric() { # metric METRICS NAME: 0 if it is not there yet
    curl --silent --noproxy '*' "$1" | awk -v name="ws_server_$2" '$1 == name { value = $2 } END { print value + 0 }'
}
until_metric() { # until_metric METRICS NAME VALUE
    for _ in $(seq 100); do
        [ "$(metric "$1" "$2")" = "$3" ] && return
        sleep 0.1
    done
    fail "$2 is $(metric "$1" "$2") instead of $3 through $path"
}
limit='handshakes_refused_total{reason="per_address.max_connections"}'
for path in "l_v1 plain" "l_v2 plain" "l_n_stream plain" "l_v1_tls tls" "l_v2_tls tls" "l_n_stream_tls tls" \
    "l_h_fields fields" "l_n_fields fields"; do
    read -r path kind <<<"$path"
    port=${!path} metrics=${kind}_metrics
    metrics=${!metrics}
    words=()
    [ "$kind" != tls ] || words=(tls)
    refused=$(metric "$metrics" "$limit")
    holding=()
    for client in 127.5.6.7 127.5.6.8; do
        python3 interop/peers/forging_client.py "$client" "$port" "${words[@]}" hold >/dev/null &
        holding+=("$!")
    done
    started+=("${holding[@]}")
    until_metric "$metrics" websockets_open 2
    for client in 127.5.6.7 127.5.6.8; do sees '429 *' "${words[@]}"; done
    until_metric "$metrics" "$limit" $((refused + 2))
    until_metric "$metrics" websockets_open 2
    steps=$((steps + 1))
    echo "  ok  $path: the metrics count what each of two clients has open by itself"
    kill "${holding[@]}"
    wait "${holding[@]}" || true
    until_metric "$metrics" websockets_open 0
done
# Where it is not set, the answer says what to do.
page "handshake.proxies" "http://localhost:$h_off/"
page "handshake.proxies" "http://localhost:$h_other/"
