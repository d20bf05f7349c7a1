#!/usr/bin/env bash
# Tests topics on several servers with real NATS and Redis: what every backplane has to do, connections that are cut, payloads, entries and keys that no server of
# ours has written while ours run, passwords, TLS; and three of our
# servers that publish while one of them is killed, NATS or Redis is stopped for ten seconds, and the network passes no bytes for eight.
# NATS_SERVER and REDIS_SERVER may name other programs than Debian's.
# apt: nats-server redis-server python3 openssl
source "$(dirname "$0")/lib/setup.bash"
nats_server=${NATS_SERVER:-nats-server}
redis_server=${REDIS_SERVER:-redis-server}
need_programs "$nats_server" "$redis_server" python3 openssl
echo "$name: $("$nats_server" --version), $("$redis_server" --version | cut -d' ' -f1-3)"
# Not for speed: what CI's step `features` has built does.
cargo build --quiet --workspace --all-features --example contract --example cluster

built=$target/debug/examples
data=$work/$name.data
rm -rf "$data"
mkdir -p "$data/redis" "$data/locked"

nats_port=$(free_port)
redis_port=$(free_port)
start_nats() { listen_at "$nats_port" nats "$nats_server" -a 127.0.0.1 -p "$nats_port" -js -sd "$data/nats"; }
start_redis() {
    listen_at "$redis_port" redis "$redis_server" --bind 127.0.0.1 --port "$redis_port" --dir "$data/redis" --appendonly yes --save ''
}
start_nats
start_redis
step "what every backplane has to do: NATS" "$built/contract" "nats://127.0.0.1:$nats_port"
step "what every backplane has to do: Redis" "$built/contract" "redis://127.0.0.1:$redis_port"

# Passwords.
locked_nats=$(free_port)
locked_redis=$(free_port)
listen_at "$locked_nats" locked-nats "$nats_server" -a 127.0.0.1 -p "$locked_nats" --user open --pass 'sesame@1'
listen_at "$locked_redis" locked-redis "$redis_server" --bind 127.0.0.1 --port "$locked_redis" --dir "$data/locked" --save '' --requirepass 'sesame@1'
step "a server accepts user and password" "$built/contract" --accepted \
    "nats://open:sesame%401@127.0.0.1:$locked_nats" "redis://:sesame%401@127.0.0.1:$locked_redis"
step "a server refuses another password, or none" "$built/contract" --refused \
    "nats://open:sesame2@127.0.0.1:$locked_nats" "nats://127.0.0.1:$locked_nats" \
    "redis://:sesame2@127.0.0.1:$locked_redis" "redis://127.0.0.1:$locked_redis"

# TLS: with a certificate of a test authority, which is trusted by SSL_CERT_FILE; another authority is refused, and so is a host that the
# certificate is not for.
authority() { # authority NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$data/$1.key" -out "$data/$1.pem" 2>/dev/null
}
authority trusted
authority other
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost' -addext 'basicConstraints=critical,CA:FALSE' \
    -keyout "$data/server.key" -out "$data/server.csr" 2>/dev/null
openssl x509 -req -in "$data/server.csr" -CA "$data/trusted.pem" -CAkey "$data/trusted.key" -CAcreateserial -days 2 -copy_extensions copy \
    -out "$data/server.pem" 2>/dev/null
tls_nats=$(free_port)
tls_redis=$(free_port)
listen_at "$tls_nats" tls-nats "$nats_server" -a 127.0.0.1 -p "$tls_nats" --tls --tlscert "$data/server.pem" --tlskey "$data/server.key"
listen_at "$tls_redis" tls-redis "$redis_server" --bind 127.0.0.1 --port 0 --tls-port "$tls_redis" --dir "$data/locked" --save '' \
    --tls-cert-file "$data/server.pem" --tls-key-file "$data/server.key" --tls-ca-cert-file "$data/trusted.pem" --tls-auth-clients no
step "TLS with a certificate of a trusted authority" env SSL_CERT_FILE="$data/trusted.pem" "$built/contract" --accepted \
    "tls://localhost:$tls_nats" "rediss://localhost:$tls_redis"
step "TLS with one of another authority is refused, and SSL_CERT_FILE is named" env SSL_CERT_FILE="$data/other.pem" \
    "$built/contract" --untrusted "tls://localhost:$tls_nats" "rediss://localhost:$tls_redis"
step "TLS with one for another host is refused" env SSL_CERT_FILE="$data/trusted.pem" "$built/contract" --refused \
    "tls://127.0.0.1:$tls_nats" "rediss://127.0.0.1:$tls_redis"

# Both at once, for each takes three quarters of a minute. The counts are shown.
judge() { timeout --kill-after=5 "$limit" "$built/cluster" judge --program "$1" >"$work/$name.judge-$2.log" 2>&1; }
judge "$nats_server" nats &
nats_judge=$!
judge "$redis_server" redis &
redis_judge=$!
for what in nats redis; do
    pid=${what}_judge
    status=0
    wait "${!pid}" || status=$?
    sed 's/^/    /' "$work/$name.judge-$what.log"
    [ "$status" -eq 0 ] || fail "failed: three servers, $what (status $status)"
    steps=$((steps + 1))
    echo "  ok  three servers while one is killed, $what is stopped, and the network is cut"
done
