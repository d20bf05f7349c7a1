#!/usr/bin/env bash
# Tests topics on several servers with real NATS and Redis: what every backplane has to do, connections that are cut, payloads, entries and keys that no server of
# ours has written while ours run, what is refused for lack of room, a connection that is slow, a crash of NATS or Redis, flushes to the
# disk, passwords, TLS; and three of our
# servers that publish while one of them is killed, NATS or Redis is stopped for ten seconds, and the network passes no bytes for eight.
# NATS_SERVER and REDIS_SERVER may name other programs than Debian's.
# apt: nats-server redis-server python3 openssl strace
source "$(dirname "$0")/lib/setup.bash"
nats_server=${NATS_SERVER:-nats-server}
redis_server=${REDIS_SERVER:-redis-server}
need_programs "$nats_server" "$redis_server" python3 openssl strace
echo "$name: $("$nats_server" --version), $("$redis_server" --version | cut -d' ' -f1-3)"
# Not for speed: what CI's step `features` has built does.
cargo build --quiet --workspace --all-features --example contract --example cluster

built=$target/debug/examples
data=$work/$name.data
rm -rf "$data"
mkdir -p "$data/redis" "$data/locked"

nats_port=$(free_port)
redis_port=$(free_port)
nats_url=nats://127.0.0.1:$nats_port
redis_url=redis://127.0.0.1:$redis_port
start_nats() { listen_at "$nats_port" nats "$nats_server" -a 127.0.0.1 -p "$nats_port" -js -sd "$data/nats"; }
start_redis() {
    listen_at "$redis_port" redis "$redis_server" --bind 127.0.0.1 --port "$redis_port" --dir "$data/redis" --appendonly yes --save ''
}
start_nats
start_redis
step "what every backplane has to do: NATS" "$built/contract" "$nats_url"
step "what every backplane has to do: Redis" "$built/contract" "$redis_url"

# What is lost, and what is not: ws-topics/docs/guarantees.md names these steps.
crash() { # ends the server that was started last, as a crash does
    kill -KILL "${started[-1]}"
    wait "${started[-1]}" 2>/dev/null || true
    unset 'started[-1]'
}
step "NATS refuses one of a batch, stores the others, and that one last" "$built/contract" --full "$nats_url"
step "Redis refuses what it has no memory for" "$built/contract" --full "$redis_url"
step "Redis drops a connection that is slow, and that is seen" "$built/contract" --slow "$redis_url"
step "entries are confirmed: Redis" "$built/contract" --store "$redis_url"
crash
start_redis
step "what Redis has confirmed is there after its crash" "$built/contract" --stored "$redis_url"
crash_port=$(free_port)
crash_url=nats://127.0.0.1:$crash_port
start_crashing() { listen_at "$crash_port" crashing-nats "$nats_server" -a 127.0.0.1 -p "$crash_port" -js -sd "$data/crashing"; }
start_crashing
step "entries are confirmed: NATS" "$built/contract" --store "$crash_url"
crash
start_crashing
step "what NATS has confirmed is there after its crash" "$built/contract" --stored "$crash_url"

# A loss of power cannot be tried here. What has to be true for it: each of a hundred entries is flushed to the disk before the next is sent,
# which is sent when the one before is confirmed.
flushing() { # flushing NAME PORT URL SERVER...
    local log=$work/$name.flushes-$1.log port=$2 url=$3 flushes
    shift 3
    # -D: strace is the child, so that ending the server ends both.
    listen_at "$port" flushing strace -D -f -qq -e trace=fsync,fdatasync -o "$log" "$@"
    "$built/contract" --store "$url"
    kill "${started[-1]}"
    wait "${started[-1]}" || true
    flushes=$(grep -cE 'fsync\(|fdatasync\(' "$log" || true)
    echo "$flushes flushes"
    [ "$flushes" -ge 100 ]
}
flushing_redis() {
    local port
    port=$(free_port)
    mkdir -p "$data/flushing-redis"
    flushing redis "$port" "redis://127.0.0.1:$port" "$redis_server" --bind 127.0.0.1 --port "$port" --dir "$data/flushing-redis" \
        --appendonly yes --appendfsync always --save ''
}
flushing_nats() {
    local port
    port=$(free_port)
    printf 'listen: 127.0.0.1:%s\njetstream { store_dir: "%s"\n sync_interval: always }\n' "$port" "$data/flushing-nats" >"$data/nats.conf"
    flushing nats "$port" "nats://127.0.0.1:$port" "$nats_server" -c "$data/nats.conf"
}
check "Redis with appendfsync always flushes what it confirms" flushing_redis
if [ "$(printf '%s\n' 2.10 "$("$nats_server" --version | grep -oE '[0-9]+\.[0-9]+')" | sort -V | head -1)" = 2.10 ]; then
    check "NATS with sync_interval always flushes what it confirms" flushing_nats
else
    echo "  --  NATS with sync_interval always flushes what it confirms: this nats-server is older than 2.10, which knows that setting"
fi

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
