#!/usr/bin/env bash
# Tests our server with curl: plain HTTP and the upgrade on one port, ws:// if curl supports it; the same over TLS; and
# with our command `ws`.
# apt: openssl
source "$(dirname "$0")/lib/setup.bash"
command -v curl >/dev/null || fail "curl is needed"
build
need_certificate
start echo "$programs/echo" --listen 127.0.0.1:0 --compress
http=http://${address#ws://}
curl=(curl --silent --show-error --max-time 20 --noproxy '*')
echo "$name: $(curl --version | head -n 1 | cut -d ' ' -f 1,2)"

# says TEXT COMMAND...: runs the command and fails unless its output contains TEXT, in any case.
says() {
    local text=$1 output
    shift
    output=$("$@" 2>&1 | tr -d '\0') || true
    case ${output,,} in
        *"${text,,}"*) ;;
        *) printf 'not found: %s\n%s\n' "$text" "$output"; return 1 ;;
    esac
}

# A manual upgrade, with the key of RFC 6455 section 1.3; curl waits on the open connection until it is stopped.
upgrade() {
    "${curl[@]}" --include --no-buffer --max-time 2 -H 'Connection: keep-alive, Upgrade' -H 'Upgrade: WebSocket' \
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$@"
}

exact() { # exact TEXT COMMAND...: the output and nothing else, and the status 0
    local text=$1 output
    shift
    output=$("$@") || return
    [ "$output" = "$text" ] || { printf 'instead of %q: %q\n' "$text" "$output"; return 1; }
}

ends_with() { # ends_with STATUS COMMAND...
    local expected=$1 status=0
    shift
    "$@" </dev/null || status=$?
    [ "$status" -eq "$expected" ] || { echo "status $status instead of $expected"; return 1; }
}

sent_lines() { printf 'hello\nw\xc3\xb6rld\n\nlast without newline' | "$ws" "$@"; }

in_shell() { # in_shell FUNCTION ARGUMENTS...: a step that is one of the functions above
    local what=$1 log=$work/$name.step.log
    shift
    "$@" >"$log" 2>&1 || { sed 's/^/    /' "$log" >&2; fail "failed: $what"; }
    steps=$((steps + 1))
    echo "  ok  $what"
}

in_shell "curl: the page" says "<html" "${curl[@]}" --include "$http/"
in_shell "curl: the health check" says "200 OK" "${curl[@]}" --include "$http/healthz"
in_shell "curl: HTTP/2 with prior knowledge" says "HTTP/2 200" "${curl[@]}" --http2-prior-knowledge --include "$http/healthz"
in_shell "curl: a path that is none" says "404 Not Found" "${curl[@]}" --include "$http/no-such-path"
in_shell "curl: the upgrade by hand" says "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" upgrade -H 'Sec-WebSocket-Version: 13' "$http/"
in_shell "curl: a version we do not speak" says "Sec-WebSocket-Version: 13" upgrade -H 'Sec-WebSocket-Version: 8' "$http/"
in_shell "curl: a version we do not speak is 426" says "426 " upgrade -H 'Sec-WebSocket-Version: 8' "$http/"
in_shell "curl: an alien origin" says "403 " upgrade -H 'Sec-WebSocket-Version: 13' -H 'Origin: http://evil.example' "$http/"
if curl --version | grep -qE '^Protocols:.* ws( |$)'; then
    # Open until the timeout (status 28), or until curl ends because no data arrives.
    in_shell "curl: ws://" says "101 Switching Protocols" "${curl[@]}" --include --max-time 2 "$address/"
else
    echo "  --  curl: this curl does not support ws://; the manual upgrade is tested instead"
fi

answers=$(printf 'hello\nw\xc3\xb6rld\n\nlast without newline')
in_shell "ws: lines there and back" exact "$answers" sent_lines "$address"
in_shell "ws: compressed" exact "$answers" sent_lines --compress "$address"
in_shell "ws: no input is a clean end" ends_with 0 "$ws" "$address"
in_shell "ws: a wrong path is the server's refusal" ends_with 4 "$ws" "$address/no-such-path"
in_shell "ws: http:// is a wrong address" ends_with 2 "$ws" "$http"
stop
in_shell "ws: nobody there" ends_with 3 "$ws" "$address"
in_shell "ws: nobody there, in words" says "is the server running?" "$ws" "$address"

start echo "$programs/echo" --listen 127.0.0.1:0 --tls "$certificate" "$key"
https=https://localhost:${address##*:}
curl+=(--cacert "$certificate")
in_shell "curl, TLS: the page" says "<html" "${curl[@]}" --include "$https/"
in_shell "curl, TLS: HTTP/2 where it is offered" says "HTTP/2 200" "${curl[@]}" --http2 --include "$https/healthz"
in_shell "curl, TLS: HTTP/1.1 otherwise" says "HTTP/1.1 200 OK" "${curl[@]}" --http1.1 --include "$https/healthz"
in_shell "curl, TLS: the upgrade by hand" says "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" upgrade --http1.1 -H 'Sec-WebSocket-Version: 13' "$https/"
in_shell "curl, TLS: http:// gets an answer that names TLS" says "This port speaks TLS" "${curl[@]}" "http://localhost:${address##*:}/"
stop
