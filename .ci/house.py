#!/usr/bin/env python3
"""House rules that no other tool checks: no source file of more than 500 lines; links in the documentation lead somewhere;
tests that the documentation names exist, as do files and folders."""
import itertools
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
files = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True, stdout=subprocess.PIPE, text=True)
files = [root / name for name in files.stdout.splitlines() if (root / name).is_file()]
faults = []

sources = [file for file in files if file.suffix in (".rs", ".py", ".sh", ".js", ".mjs", ".ts") and "testdata" not in file.parts]
functions = set()
for file in sources:
    text = file.read_text()
    functions.update(re.findall(r"\bfn ([a-z0-9_]+)", text))
    # Tests that a macro makes for each kind of storage.
    functions.update(name for names in re.findall(r"tests!\(\s*\$cloud, ([^;]*?)\)", text) for name in re.findall(r"[a-z_]+", names))
    lines = text.count("\n")
    if lines > 500:
        faults.append(f"{file.relative_to(root)}: {lines} lines, more than 500")


def expanded(text):
    """`a::{b,c}` as `a::b` and `a::c`."""
    parts = [part[1:-1].split(",") if part.startswith("{") else [part] for part in re.findall(r"\{[^}]*\}|[^{}]+", text)]
    return ["".join(choice) for choice in itertools.product(*parts)]


pages = [file for file in files if file.suffix == ".md" and "testdata" not in file.parts]
for page in pages:
    text = page.read_text()
    name = page.relative_to(root)
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if "://" not in link and not (page.parent / link).exists():
            faults.append(f"{name}: a link to {link}, which is not there")
    for quoted in re.findall(r"`([^`\n]+)`", prose):
        for one in expanded(quoted):
            # In the page on tests, `module::name` is a test.
            if page.name == "testing.md" and re.fullmatch(r"[a-z0-9]+(::[a-z0-9_]+)+", one) and "contract" not in one:
                if one.rsplit("::", 1)[1] not in functions:
                    faults.append(f"{name}: no function {one}")
            if page.name != "state.md" and re.fullmatch(r"(crates|docs|benches|\.ci)/[A-Za-z0-9_./-]+", one) and not (root / one).exists():
                faults.append(f"{name}: no file {one}")

print(f"{len(sources)} source files, {len(pages)} pages, {len(functions)} functions")
if faults:
    sys.exit("\n".join(faults))
