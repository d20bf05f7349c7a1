#!/usr/bin/env bash
# Our client over HTTP/2 (RFC 8441) to hypercorn, a server of Python: by prior knowledge and over TLS, without and with
# compression, 100 WebSockets at once, refusals; and over HTTP/1.1 to the same server.
# apt: openssl
source "$(dirname "$0")/lib/setup.bash"
need_programs openssl
build
if ! "$work/hypercorn/bin/python" -c 'import hypercorn' 2>/dev/null; then
    python3 -m venv "$work/hypercorn" || fail "python3 with venv is needed: install python3-venv"
    "$work/hypercorn/bin/pip" install --quiet --disable-pip-version-check hypercorn
fi
python=$work/hypercorn/bin/python
echo "$name: hypercorn $("$python" -c 'import importlib.metadata as m; print(m.version("hypercorn"))')"
need_certificate

# reports STATUS TEXT ARGUMENTS...: what `ws` says, and its exit status.
reports() {
    local expected=$1 text=$2 status=0 output
    shift 2
    output=$(timeout "$limit" "$ws" "$@" </dev/null 2>&1) || status=$?
    [ "$status" -eq "$expected" ] && [[ $output == *"$text"* ]] ||
        fail "status $status instead of $expected, or not ${text@Q}: $output"
    steps=$((steps + 1))
    echo "  ok  $text"
}

client=$programs/interop_client
for tls in "" "--tls $certificate $key"; do
    start hypercorn "$python" interop/peers/hypercorn_app.py "$(free_port)" $tls
    roots=${tls:+--roots $certificate}
    cacert=${tls:+--cacert $certificate}
    what=${address%%:*}
    for compress in "" --compress; do
        step "$what over HTTP/2 ${compress:-plain}" "$client" "$address" $roots --http2 $compress
        step "$what over HTTP/1.1 ${compress:-plain}" "$client" "$address" $roots $compress
    done
    reports 0 '"http":"2"' "$address/echo" $cacert --http2 --json --once -m hello
    reports 4 "403" "$address/refuse" $cacert --http2
    stop
done
