#!/usr/bin/env python3
"""Looks at every crate that may end up in a build of strongroom, on any platform: is its licence one that we accept, and does
it build with our oldest Rust? Prints what it found; fails on what it can't accept. Reads `cargo metadata`."""
import collections
import json
import re
import subprocess
import sys

# All of them let a program be distributed under MIT or Apache-2.0; see docs/dependencies.md.
ACCEPTED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0",
    "Unicode-3.0", "Unlicense", "Zlib",
}


def accepted(expression):
    """An SPDX expression: `AND` needs both sides, `OR` (formerly `/`) one; exceptions only permit more."""
    expression = re.sub(r"\s+WITH\s+\S+", "", expression).replace("/", " OR ")
    words = [word if word in ("(", ")") else {"AND": "and", "OR": "or"}.get(word, str(word in ACCEPTED))
             for word in re.findall(r"[()]|[^\s()]+", expression)]
    return eval(" ".join(words), {"__builtins__": {}})  # only True, False, and, or, brackets


def version(text):
    return [int(number) for number in text.split(".")[:2]]


metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--format-version", "1", "--locked"], check=True, stdout=subprocess.PIPE).stdout)
ours = next(package for package in metadata["packages"] if package["name"] == "strongroom")
others = [package for package in metadata["packages"] if package["source"]]
faults = []
for package in others:
    name = f"{package['name']} {package['version']}"
    if not package["license"] or not accepted(package["license"]):
        faults.append(f"{name}: licence {package['license']}")
    if package["rust_version"] and version(package["rust_version"]) > version(ours["rust_version"]):
        faults.append(f"{name}: needs Rust {package['rust_version']}, ours is {ours['rust_version']}")

versions = collections.defaultdict(set)
for package in others:
    versions[package["name"]].add(package["version"])
licences = collections.Counter(package["license"] for package in others)
print(f"{len(others)} crates, none newer than Rust {ours['rust_version']}, under {len(licences)} licence expressions:")
for licence, count in licences.most_common():
    print(f"  {count:4} {licence}")
doubled = sorted(f"{name} {' '.join(sorted(found))}" for name, found in versions.items() if len(found) > 1)
print(f"{len(doubled)} in more than one version: {', '.join(doubled)}")
if faults:
    sys.exit("not acceptable:\n  " + "\n  ".join(faults))
