#!/usr/bin/env bash
# Official clients from the package registries against the fake: they would not talk to a server that only looks like one.
# Usage: bash run.sh [NODES]. Installs the clients into the user's cache folder, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${XDG_CACHE_HOME:-$HOME/.cache}/strongroom/clients/python-aerospike-19.3.0
"$python/bin/python" -c 'import aerospike' 2>/dev/null || {
  rm -rf "$python"
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check aerospike==19.3.0
}
node=${XDG_CACHE_HOME:-$HOME/.cache}/strongroom/clients/node-aerospike-6.7.1
NODE_PATH=$node/node_modules node -e 'require("aerospike")' 2>/dev/null || {
  rm -rf "$node"
  mkdir -p "$node"
  # It brings what it needs already built; its own install step would only remove what other versions of Node.js need.
  npm install --prefix "$node" --ignore-scripts --no-audit --no-fund --loglevel=error aerospike@6.7.1
}
go_client=${XDG_CACHE_HOME:-$HOME/.cache}/strongroom/clients/go_client
(cd "$here/go_client" && CGO_ENABLED=0 go build -trimpath -o "$go_client" .)
cd "$here/../.."
cargo build --quiet --locked --bin aerospike-fake
target=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
for nodes in 1 "${1:-3}"; do
  coproc FAKE { "$target/debug/aerospike-fake" "$nodes"; }
  addresses=()
  while read -r line <&"${FAKE[0]}" && [ "$line" != ready ]; do addresses+=("$line"); done
  timeout 120 "$python/bin/python" "$here/python_client.py" "${addresses[@]}"
  timeout 120 "$go_client" "${addresses[@]}"
  NODE_PATH=$node/node_modules timeout 120 node "$here/node_client.js" "${addresses[@]}"
  kill "$FAKE_PID" && wait "$FAKE_PID" 2>/dev/null || true
done
