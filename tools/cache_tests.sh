#!/bin/sh
# Runs the cases of http-cache-tests (https://cache-tests.fyi) against a server with a
# cache: bolide, before an application that passes requests on to the suite's origin
# server. Installs the npm package below build/npm if it is not there; says why if it
# cannot.
#   tools/cache_tests.sh PYTHON
set -eu

python=$1
package=build/npm/node_modules/http-cache-tests
version=0.4.5

command -v npm >/dev/null 2>&1 || {
    echo "cache-tests: skipped: there is no npm (apt-get install npm)"
    exit 0
}
if [ ! -d "$package" ]; then
    echo "installing: http-cache-tests"
    npm install --silent --no-audit --no-fund --prefix build/npm \
        --omit=dev --ignore-scripts "http-cache-tests@$version" node-fetch@2
fi
# The runner imports it from inside the package.
[ -d "$package/node_modules/node-fetch" ] || {
    mkdir -p "$package/node_modules"
    cp -r build/npm/node_modules/node-fetch build/npm/node_modules/whatwg-url \
        build/npm/node_modules/tr46 build/npm/node_modules/webidl-conversions \
        "$package/node_modules"
}

free_port() {
    "$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
wait_for() {
    for _ in $(seq 100); do
        ! "$python" -c "import socket; socket.create_connection(('127.0.0.1', $1))" \
            2>/dev/null || return 0
        sleep 0.1
    done
    echo "cache-tests: nothing listens on port $1" >&2
    return 1
}

root=$PWD
folder=$(mktemp -d)
origin=$(free_port)
port=$(free_port)
trap 'kill $pids 2>/dev/null; rm -rf "$folder"' EXIT
pids=
(cd "$package" && exec env npm_config_protocol=http npm_config_port="$origin" \
    npm_config_pidfile="$folder/pid" node server/server.mjs >"$folder/origin" 2>&1) &
pids="$pids $!"
(cd tests/cache/suite && ORIGIN_PORT=$origin exec "$python" -m bolide relay:app \
    --port "$port" --cache 67108864 --cache-obey-clients --no-access-log \
    --lifespan off --log-level critical >"$folder/server" 2>&1) &
pids="$pids $!"
wait_for "$origin"
wait_for "$port"
node --no-warnings "$root/tests/cache/suite/run.mjs" "$package" "http://localhost:$port"
