//! The program against `docs/names.md`: its commands, options and exit codes.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;
use strongroom::ErrorKind;
use strongroom_testkit::document::table;

use crate::arguments::Arguments;
use crate::output::exit_code;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/names.md")).unwrap()
}

#[test]
fn the_names_of_the_program_are_those_of_the_table() {
    let (page, mut root) = (page(), Arguments::command());
    root.build();
    let command = |name: &str| root.get_subcommands().find(|sub| sub.get_name() == name);
    let operations = table(&page, "operations");
    let mut told = BTreeSet::new();
    for row in &operations {
        for usage in &row[4] {
            let (name, flag) =
                usage.split_once(" --").map_or((usage.as_str(), None), |(name, flag)| (name, Some(flag)));
            let command = command(name).unwrap_or_else(|| panic!("there is no command '{name}'"));
            let there = |flag| command.get_arguments().any(|argument| argument.get_long() == Some(flag));
            assert!(flag.is_none_or(there), "'{usage}'");
            told.insert(name.to_owned());
        }
    }
    let (_, only) = page.split_once("Only the program has ").unwrap();
    let (only, _) = only.split_once(".\n").unwrap();
    told.extend(only.split('`').skip(1).step_by(2).map(str::to_owned));
    let known = root.get_subcommands().map(|sub| sub.get_name().to_owned()).filter(|name| name != "help");
    assert_eq!(told, known.collect::<BTreeSet<_>>());

    let mut options = 0;
    for row in table(&page, "options") {
        for (operation, flag) in row[3].iter().flat_map(|operation| row[2].iter().map(move |flag| (operation, flag))) {
            let of = operations.iter().find(|row| row[0][0] == *operation).unwrap_or_else(|| panic!("'{operation}'"));
            let name = of[4][0].split(' ').next().unwrap_or_default();
            let command = command(name).unwrap();
            let mut flags = command.get_arguments().filter_map(|argument| argument.get_long());
            assert!(flags.any(|long| format!("--{long}") == *flag), "'{name}' has no option {flag}");
            options += 1;
        }
    }
    assert!(options > 60, "{options}");
}

#[test]
fn exit_codes_are_those_of_the_table() {
    let rows = table(&page(), "errors");
    let told: Vec<_> = rows.iter().map(|row| (row[1][0].clone(), row[2][0].clone())).collect();
    let known = ErrorKind::ALL.map(|kind| (kind.code().to_owned(), exit_code(kind).to_string()));
    assert_eq!(told, known);
}
