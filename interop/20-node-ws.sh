#!/usr/bin/env bash
# Tests our server and client with Node's ws, without and with compression, plain and over TLS.
# apt: openssl
source "$(dirname "$0")/lib/setup.bash"
build
need_node
need_certificate
for compress in "" --compress; do
    start echo "$programs/echo" --listen 127.0.0.1:0 $compress
    step "ws → our server ${compress:-plain}" node interop/peers/client.js "$address" $compress
    stop
    start server.js node interop/peers/server.js $compress
    step "our client → ws ${compress:-plain}" "$programs/interop_client" "$address" $compress
    stop
done
start echo "$programs/echo" --listen 127.0.0.1:0 --compress --tls "$certificate" "$key"
for compress in "" --compress; do
    step "ws → our server over TLS ${compress:-plain}" node interop/peers/client.js "$address" $compress
done
stop
start server.js node interop/peers/server.js --compress --tls "$certificate" "$key"
for compress in "" --compress; do
    step "our client → ws over TLS ${compress:-plain}" "$programs/interop_client" "$address" --roots "$certificate" $compress
done
stop
