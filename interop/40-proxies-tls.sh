#!/usr/bin/env bash
# Our client through real proxies (tinyproxy: CONNECT; microsocks: SOCKS5), plain and TLS, to Python's websockets.
# apt: tinyproxy-bin microsocks openssl
source "$(dirname "$0")/lib/setup.bash"
for program in tinyproxy microsocks openssl; do
    command -v "$program" >/dev/null || fail "$program is needed: install the packages named at the top of $0"
done
build
need_python

free_port() { "$work/py/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# proxy_at PORT NAME COMMAND...: starts a proxy and waits until it listens.
proxy_at() {
    local port=$1 what=$2 waited=0
    shift 2
    "$@" >"$work/$name.$what.log" 2>&1 </dev/null &
    started+=("$!")
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "${started[-1]}" 2>/dev/null || { cat "$work/$name.$what.log" >&2; fail "$what ended by itself"; }
        [ "$waited" -lt 100 ] || fail "$what does not listen"
        waited=$((waited + 1))
        sleep 0.1
    done
}

refused() { # refused STATUS TEXT COMMAND...
    local expected=$1 text=$2 status=0 output
    shift 2
    output=$("$@" </dev/null 2>&1) || status=$?
    [ "$status" -eq "$expected" ] && [[ $output == *"$text"* ]] ||
        fail "status $status instead of $expected, or not ${text@Q}: $output"
    steps=$((steps + 1))
    echo "  ok  $text"
}

certificate=$work/$name.cert.pem
key=$work/$name.key.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -addext 'basicConstraints=critical,CA:FALSE' \
    -keyout "$key" -out "$certificate" 2>/dev/null

http_port=$(free_port)
cat >"$work/$name.tinyproxy.conf" <<END
Port $http_port
Listen 127.0.0.1
Timeout 60
MaxClients 50
BasicAuth user secret
END
proxy_at "$http_port" tinyproxy tinyproxy -d -c "$work/$name.tinyproxy.conf"
socks_port=$(free_port)
proxy_at "$socks_port" microsocks microsocks -i 127.0.0.1 -p "$socks_port" -u user -P 'p@ss'

client=$programs/interop_client
for tls in "" "--tls $certificate $key"; do
    start server.py "$work/py/bin/python" interop/peers/server.py --compress $tls
    roots=${tls:+--roots $certificate}
    what=${address%%:*}
    step "$what directly" "$client" "$address" $roots
    step "$what, compressed" "$client" "$address" $roots --compress
    step "$what through CONNECT" "$client" "$address" $roots --proxy "http://user:secret@127.0.0.1:$http_port"
    step "$what through SOCKS5" "$client" "$address" $roots --proxy "socks5://user:p%40ss@127.0.0.1:$socks_port"
    named=${address/127.0.0.1/localhost}
    step "$what through SOCKS5, the proxy looks up the name" "$client" "$named" $roots --proxy "socks5h://user:p%40ss@127.0.0.1:$socks_port"
    refused 3 "it wants credentials" "$ws" "$address/echo" --proxy "http://127.0.0.1:$http_port"
    refused 3 "it wants credentials" "$ws" "$address/echo" --proxy "socks5://user:wrong@127.0.0.1:$socks_port"
    if [ -n "$tls" ]; then
        refused 6 "unknown authority" "$ws" "$address/echo"
        refused 5 "wants TLS (wss://)" "$ws" "ws://${address#wss://}/echo"
    else
        refused 3 "does it speak TLS at this port?" "$ws" "wss://${address#ws://}/echo"
    fi
    stop
done
