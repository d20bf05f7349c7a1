#!/usr/bin/env bash
# Tests our server and client with Python's websockets, without and with compression; our server also over TLS (our
# client: 40-proxies-tls.sh).
# apt: openssl
source "$(dirname "$0")/lib/setup.bash"
build
need_python
need_certificate
for compress in "" --compress; do
    start echo "$programs/echo" --listen 127.0.0.1:0 $compress
    step "websockets → our server ${compress:-plain}" "$work/py/bin/python" interop/peers/client.py "$address" $compress
    stop
    start server.py "$work/py/bin/python" interop/peers/server.py $compress
    step "our client → websockets ${compress:-plain}" "$programs/interop_client" "$address" $compress
    stop
done
start echo "$programs/echo" --listen 127.0.0.1:0 --compress --tls "$certificate" "$key"
for compress in "" --compress; do
    step "websockets → our server over TLS ${compress:-plain}" "$work/py/bin/python" interop/peers/client.py "$address" $compress
done
stop
