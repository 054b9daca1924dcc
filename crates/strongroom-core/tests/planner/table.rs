//! The table of invariants in `docs/planner.md` and the tests say the same: a row without its test proves nothing, and a
//! test that nobody is told of is not looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const INVARIANTS: u32 = 20;

/// `i07_no_…` is of invariant 7.
fn numbered(name: &str) -> Option<(u32, String)> {
    let digits = name.strip_prefix('i')?.get(..2)?;
    let number = digits.parse().ok()?;
    name[3..].starts_with('_').then(|| (number, name.to_owned()))
}

/// What the table says, by number.
fn told() -> BTreeMap<u32, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/planner.md");
    let text = std::fs::read_to_string(path).expect("docs/planner.md");
    let mut told = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| I")) {
        let number = line.split('|').nth(1).and_then(|cell| cell.trim().strip_prefix('I')?.parse().ok());
        let number: u32 = number.unwrap_or_else(|| panic!("a row without a number: {line}"));
        let names = line.split('`').filter_map(numbered);
        let names: BTreeSet<String> = names.map(|(of, name)| (of == number).then_some(name).expect(line)).collect();
        assert!(told.insert(number, names).is_none(), "two rows of I{number}");
    }
    told
}

/// Adds the tests in all files of a folder.
fn collect(folder: &Path, found: &mut BTreeMap<u32, BTreeSet<String>>) {
    for entry in std::fs::read_dir(folder).expect("the folder of the tests") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&path).expect("a test's source");
            let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
            for pair in lines.windows(2) {
                let name = pair[1].trim_start_matches("async ").strip_prefix("fn ").and_then(|it| it.split('(').next());
                if let Some((number, name)) = name.and_then(numbered) {
                    assert!(pair[0].starts_with("#["), "{name} in {} is no test", path.display());
                    found.entry(number).or_default().insert(name);
                }
            }
        }
    }
}

#[test]
fn every_invariant_has_its_tests_and_they_are_told() {
    let mut found = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut found);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), (1..=INVARIANTS).collect::<Vec<_>>());
    assert_eq!(told(), found, "left: docs/planner.md; right: the tests");
}
