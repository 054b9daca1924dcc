# Sourced by the scripts beside it. Each of them is `NAME PORT [option]`: it installs its server if that is missing, starts it
# on 127.0.0.1:PORT with an empty data folder, prints "ready", and serves until its standard input is closed. So a server
# never outlives the test that started it, however that test ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
stores=${STRONGROOM_STORES:-${XDG_CACHE_HOME:-$HOME/.cache}/strongroom/stores}
# Go and Node.js, where the test command had to install them.
PATH=${STRONGROOM_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/strongroom/tools}/programs:$PATH
mkdir -p "$stores/bin"
data=$(mktemp -d)
log=$data/log
children=()

finish() {
    # At once: asked nicely, some wait for connections that nobody uses any more.
    for child in "${children[@]}"; do kill -KILL "$child" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$data"
}
trap finish EXIT
trap 'exit 1' INT TERM

# install_go NAME PACKAGE@VERSION: builds a Go program into the cache, once, also when several tests want it at once.
install_go() {
    (
        flock 9
        [ -x "$stores/bin/$1" ] && exit 0
        echo "building $1, once" >&2
        CGO_ENABLED=0 GOBIN="$stores/bin" go install -trimpath -ldflags='-s -w' "$2" >&2
    ) 9>"$stores/$1.lock"
}

# launch COMMAND…: starts it in the background, output to the log.
launch() {
    "$@" >>"$log" 2>&1 </dev/null &
    children+=($!)
}

# alive: fails when a child ended.
alive() {
    for child in "${children[@]}"; do
        kill -0 "$child" 2>/dev/null || { echo "the server ended:" >&2; tail -20 "$log" >&2; exit 1; }
    done
}

# await WHAT CODES CURL-ARGUMENTS…: repeats a request until its status is one of CODES (a pattern), for half a minute.
await() {
    local what=$1 codes=$2 code=none
    shift 2
    for _ in $(seq 150); do
        alive
        code=$(curl -ks -o "$data/answer" --max-time 5 -w '%{http_code}' "$@" || true)
        # shellcheck disable=SC2254 # a pattern is wanted
        case $code in $codes) return ;; esac
        sleep 0.2
    done
    echo "$what: HTTP $code" >&2
    tail -20 "$log" "$data/answer" >&2
    exit 1
}

# serve: says that the server is ready and waits for the end of the input.
serve() {
    echo ready
    cat >/dev/null || true
}
