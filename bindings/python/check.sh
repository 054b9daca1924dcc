#!/usr/bin/env bash
# Builds the wheel, installs it in a clean environment, and runs every check and test of the module against it; then the tests
# under every other Python from 3.10 that is here.
# Usage: bash bindings/python/check.sh [PYTHON] [PYTEST ARGUMENTS...]
set -euo pipefail
cd "$(dirname "$0")"
python=${1:-python3}
shift || true
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check --requirement tests/requirements.txt
tool() { "$work/tools/bin/python" -m "$@"; }

cargo metadata --format-version 1 --locked >/dev/null || {
  echo "bindings/python/Cargo.lock does not fit the workspace: 'cargo metadata' in bindings/python mends it" >&2; exit 1
}
"$python" ../../.ci/dependencies.py # licences, and the oldest Rust
cargo fmt --check
cargo clippy --quiet --locked -- -D warnings
tool ruff check .
tool ruff format --check .
# The profile of tests: an optimised one takes minutes more and tells nothing more.
"$work/tools/bin/maturin" build --quiet --locked --profile dev --out "$work/dist"

"$python" -m venv "$work/clean"
clean=$work/clean/bin/python
"$clean" -m pip install --quiet --disable-pip-version-check --no-index "$work"/dist/*.whl
# Away from the sources: what is tested is what was installed.
cd "$work" && "$clean" -c 'import strongroom; print("strongroom", strongroom.__version__)' && cd - >/dev/null
"$clean" -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt --requirement tests/live_requirements.txt

"$clean" -m mypy --config-file pyproject.toml --package strongroom
"$clean" -m mypy --config-file pyproject.toml tests
"$clean" -m mypy.stubtest strongroom._native
"$clean" -m pytest -q tests "$@"

# The same wheel under every other Python that is here: the stable ABI is a promise to each. The long proofs and the live clusters have been.
minor() { "$1" -c 'import sys; print(sys.version_info.minor)' 2>/dev/null; }
tested=" $(minor "$clean") "
for other in python3.1{0,1,2,3,4} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-4].*/bin/python; do
  version=$(minor "$other") || continue
  [[ $tested != *" $version "* ]] || continue
  tested+="$version "
  echo "Python 3.$version"
  "$other" -m venv "$work/3.$version" || { echo "3.$version makes no environments: left out"; continue; }
  "$work/3.$version/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt "$work"/dist/*.whl
  "$work/3.$version/bin/python" -m pytest -q tests --ignore tests/test_endurance.py --ignore tests/test_live.py "$@"
done
