#!/usr/bin/env bash
# Tests our client through proxies (tinyproxy: CONNECT; microsocks: SOCKS5), plain and TLS, with Python's websockets.
# apt: tinyproxy-bin microsocks openssl
source "$(dirname "$0")/lib/setup.bash"
need_programs tinyproxy microsocks openssl
build
need_python

refused() { # refused STATUS TEXT COMMAND...
    local expected=$1 text=$2 status=0 output
    shift 2
    output=$("$@" </dev/null 2>&1) || status=$?
    [ "$status" -eq "$expected" ] && [[ $output == *"$text"* ]] ||
        fail "status $status instead of $expected, or not ${text@Q}: $output"
    steps=$((steps + 1))
    echo "  ok  $text"
}

need_certificate

http_port=$(free_port)
cat >"$work/$name.tinyproxy.conf" <<END
Port $http_port
Listen 127.0.0.1
Timeout 60
MaxClients 50
BasicAuth user secret
END
listen_at "$http_port" tinyproxy tinyproxy -d -c "$work/$name.tinyproxy.conf"
socks_port=$(free_port)
listen_at "$socks_port" microsocks microsocks -i 127.0.0.1 -p "$socks_port" -u user -P 'p@ss'

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
    refused 3 "it requires credentials" "$ws" "$address/echo" --proxy "http://127.0.0.1:$http_port"
    refused 3 "it refused the credentials" "$ws" "$address/echo" --proxy "socks5://user:wrong@127.0.0.1:$socks_port"
    if [ -n "$tls" ]; then
        refused 6 "unknown authority" "$ws" "$address/echo"
        refused 5 "wants TLS (wss://)" "$ws" "ws://${address#wss://}/echo"
    else
        refused 3 "does it speak TLS at this port?" "$ws" "wss://${address#ws://}/echo"
    fi
    stop
done
