#!/usr/bin/env bash
# Runs the files of the deployment how-tos, interop/deploy/: the container file, built by buildah and run by crun with a root that is
# read-only, and the Kubernetes manifest against the schemas and the container; nginx, haproxy and Caddy in front of `ws serve`.
# The ports are those of the files: it runs in a network namespace of its own, for which it needs root.
# apt: buildah crun nginx-light haproxy openssl curl jq iproute2 libc-bin
source "$(dirname "$0")/lib/setup.bash"
PATH=$PATH:/usr/sbin
need_programs buildah crun nginx haproxy openssl curl jq ip
files=interop/deploy
if [ -z "${WS_DEPLOY_INSIDE-}" ]; then
    build
    need_python
    need_python_http2
    install_validator() {
        "$python" -c 'import kubernetes_validate' 2>/dev/null ||
            fetch "$work/py/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate
    }
    locked install_validator
    export WS_DEPLOY_INSIDE=1
    exec unshare --net --mount --propagation private -- "$0"
fi
ip link set lo up
# crun refuses machines that have both versions of control groups. Here, and nowhere else, they have one.
umount /sys/fs/cgroup/unified 2>/dev/null || true
python=$work/py/bin/python
need_certificate
cat "$certificate" "$key" >"$work/$name.pem"
build=$work/$name.build

# --- the container ----------------------------------------------------------------

buildah() { command buildah --storage-driver vfs --root "$build/storage" --runroot "$build/run" "$@"; }

image() {
    rm -rf "$build"
    mkdir -p "$build/base" "$build/context" "$build/bundle/rootfs"
    # No registry is asked: what the program is linked with is the base.
    local library
    for library in $(ldd "$ws" | grep -o '/[^ ]*'); do install -D "$library" "$build/base$library"; done
    printf 'FROM scratch\nCOPY . /\n' >"$build/Base"
    buildah bud --isolation chroot --tag base --file "$build/Base" "$build/base"
    cp "$ws" "$build/context/ws"
    buildah bud --isolation chroot --build-arg BASE=localhost/base --tag ws --file "$files/Containerfile" "$build/context"
    buildah inspect --type image ws | jq '.OCIv1.config' >"$build/config.json"
    local container
    container=$(buildah from ws)
    cp -a "$(buildah mount "$container")/." "$build/bundle/rootfs/"
    jq -c '[.User, .Entrypoint, .StopSignal, .ExposedPorts]' "$build/config.json"
}
check "buildah builds the image of the container file" image

# What a runtime makes of the image and of the securityContext of the manifest.
(cd "$build/bundle" && crun spec)
jq --slurpfile image "$build/config.json" '
    .process.args = $image[0].Entrypoint | .process.terminal = false | .process.cwd = "/"
    | .process.user = ($image[0].User | split(":") | map(tonumber) | { uid: .[0], gid: .[1] })
    | .process.noNewPrivileges = true | .root.readonly = true
    | .process.capabilities = { bounding: [], effective: [], permitted: [] }
    | .linux.namespaces |= map(select(.type != "network" and .type != "cgroup"))
    | del(.linux.resources) | .mounts |= map(select(.type != "cgroup"))
' "$build/bundle/config.json" >"$build/spec.json"
mv "$build/spec.json" "$build/bundle/config.json"
crun=(crun --cgroup-manager=disabled --root "$build/crun")
listen_at 9001 container "${crun[@]}" run --bundle "$build/bundle" "ws-$$"
runtime=${started[-1]}
inside=$("${crun[@]}" state "ws-$$" | jq .pid)

unprivileged() {
    grep -E '^(Uid|CapEff|NoNewPrivs):' "/proc/$inside/status" | tr '\n' ' '
    grep -qE '^Uid:\s+65534\s+65534' "/proc/$inside/status"
    grep -qE '^CapEff:\s+0+$' "/proc/$inside/status"
    awk '$5 == "/" { print $6 }' "/proc/$inside/mountinfo" | grep -qE '^ro(,|$)'
}
check "it runs as nobody, without capabilities, on a root that is read-only" unprivileged
step "it echoes" "$ws" ws://127.0.0.1:9001/ --once -m hello

manifest() { # manifest FILTER: of the first container of the pod
    "$python" -c 'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)' "$files/kubernetes.yaml" | jq -r ".spec.template.spec | $1"
}
schema() {
    "$work/py/bin/kubernetes-validate" --strict "$files/kubernetes.yaml"
}
check "the manifest fits the schemas of Kubernetes" schema
probes() {
    local probe port path
    for probe in readinessProbe livenessProbe; do
        port=$(manifest ".containers[0].$probe.httpGet.port")
        path=$(manifest ".containers[0].$probe.httpGet.path")
        [ "$port" = "$(manifest '.containers[0].ports[0].containerPort')" ]
        jq -e --arg port "$port/tcp" '.ExposedPorts | has($port)' "$build/config.json"
        # As the kubelet asks: by the address of the pod.
        curl --silent --fail --max-time 5 --noproxy '*' -H 'Host: 10.1.2.3' -A kube-probe/1.30 "http://127.0.0.1:$port$path"
    done
}
check "its probes ask for a page that is there" probes

# preStop runs first, while connections still come; then SIGTERM; the kill would come when the grace period is over.
drain() {
    local pause grace begin client
    pause=$(manifest '.containers[0].lifecycle.preStop.sleep.seconds')
    grace=$(manifest '.terminationGracePeriodSeconds')
    # The default drain_timeout is 10 s.
    [ "$grace" -gt $((pause + 10)) ]
    "$ws" ws://127.0.0.1:9001/ --json --wait inf </dev/null >"$work/$name.client.log" 2>&1 &
    client=$!
    sleep 1
    "$ws" ws://127.0.0.1:9001/ --once -m 'during preStop'
    begin=$SECONDS
    kill -"$(jq -r .StopSignal "$build/config.json" | sed s/SIG//)" "$inside"
    wait "$client" || true
    while kill -0 "$inside" 2>/dev/null; do
        [ $((SECONDS - begin)) -lt $((grace - pause)) ] || { echo "not within its grace period"; return 1; }
        sleep 0.1
    done
    grep -q "\"code\":1001" "$work/$name.client.log" || { cat "$work/$name.client.log"; return 1; }
    echo "drained within $((SECONDS - begin + 1)) s of $((grace - pause))"
}
check "SIGTERM closes with 1001 and drains within the grace period" drain
wait "$runtime" || fail "the container ended with status $?, not 0"

# --- the proxies ------------------------------------------------------------------

listen_at 9001 server "$ws" serve 127.0.0.1:9001 --host any
server=${started[-1]}
mkdir -p "$work/$name.nginx"
cat >"$work/$name.nginx.conf" <<END
daemon off;
master_process off;
pid $work/$name.nginx/pid;
error_log stderr;
events {}
http {
    access_log off;
$(for folder in client_body proxy fastcgi uwsgi scgi; do echo "    ${folder}_temp_path $work/$name.nginx/$folder;"; done)
    server {
        listen 127.0.0.1:8080;
        include $root/$files/nginx-client-address.conf;
        include $root/$files/nginx-location.conf;
    }
}
END
listen_at 8080 nginx nginx -p "$work/$name.nginx" -e stderr -c "$work/$name.nginx.conf"
step "ws → nginx → ws serve" "$ws" ws://127.0.0.1:8080/chat --once -m hello

caddy=$work/py/bin/caddy
{
    printf '{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n'
    # The name and its certificate are those of this machine.
    sed "s|^chat.example {|https://localhost:8443 {\n\ttls $certificate $key|" "$files/Caddyfile"
} >"$work/$name.Caddyfile"
listen_at 8443 caddy env XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" "$caddy" run --config "$work/$name.Caddyfile" --adapter caddyfile
step "ws → Caddy → ws serve" "$ws" wss://localhost:8443/ --cacert "$certificate" --once -m hello

kill "$server"
wait "$server" || fail "ws serve ended with status $?, not 0"
listen_at 9001 behind-haproxy "$ws" serve 127.0.0.1:9001 --host any --trust-proxies 127.0.0.1 --proxy-protocol
sed "s|/etc/haproxy/chat.pem|$work/$name.pem|" "$files/haproxy.cfg" >"$work/$name.haproxy.cfg"
listen_at 443 haproxy haproxy -db -f "$work/$name.haproxy.cfg"
step "ws → haproxy → ws serve, with the PROXY protocol" "$ws" wss://localhost/ --cacert "$certificate" --once -m hello
