//! The list of commands in `docs/cli.md` is what clap knows, written out. This test compares them, so that they can't
//! drift; with `STRONGROOM_WRITE_DOCS=1` it writes the list anew.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use strongroom::ErrorKind;

use crate::arguments::Arguments;
use crate::output::exit_code;

const BEGIN: &str = "<!-- commands: written by STRONGROOM_WRITE_DOCS=1 cargo test -p strongroom-cli reference -->\n";
const END: &str = "<!-- end of commands -->\n";

#[test]
fn the_documented_commands_are_those_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", reference());
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        // At once, since the other tests read it.
        std::fs::write(path.with_extension("new"), wanted).unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
        return;
    }
    let first = document.lines().zip(wanted.lines()).find(|(there, wanted)| there != wanted);
    assert!(
        document == wanted,
        "docs/cli.md and the program differ, first at {first:?}: run STRONGROOM_WRITE_DOCS=1 cargo test -p \
         strongroom-cli reference"
    );
}

#[test]
fn every_command_and_option_says_what_it_does() {
    let mut root = Arguments::command();
    root.build();
    let mut looked_at = 0;
    walk(&root, &mut |command| {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            looked_at += 1;
            // What they are is said once, for all commands.
            let named = argument.is_positional() && matches!(argument.get_id().as_str(), "cluster" | "repository");
            assert!(named || argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    });
    assert!(looked_at > 50, "{looked_at}");
}

#[test]
fn the_documented_exit_codes_are_those_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (_, codes) = document.split_once("## Exit codes").unwrap();
    for kind in ErrorKind::ALL {
        let row = codes.lines().find(|line| line.contains(&format!("`{}`", kind.code())));
        let row = row.unwrap_or_else(|| panic!("{kind} is not documented"));
        assert!(row.starts_with(&format!("| {} |", exit_code(kind))), "{kind}: {row}");
    }
}

fn walk<'a>(command: &'a Command, see: &mut dyn FnMut(&'a Command)) {
    see(command);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        walk(sub, see);
    }
}

fn reference() -> String {
    let mut root = Arguments::command();
    root.build();
    let mut out = String::from("\n### Every command\n\n");
    options(&mut out, root.get_arguments());
    for command in root.get_subcommands() {
        section(&mut out, "strongroom", command);
    }
    out
}

fn section(out: &mut String, before: &str, command: &Command) {
    let name = format!("{before} {}", command.get_name());
    if command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        command.get_subcommands().for_each(|sub| section(out, &name, sub));
        return;
    }
    let mut usage = name;
    for argument in command.get_positionals() {
        let place = placeholder(argument);
        let _ = if argument.is_required_set() { write!(usage, " {place}") } else { write!(usage, " [{place}]") };
    }
    for (long, argument) in command.get_arguments().filter_map(|argument| Some((argument.get_long()?, argument))) {
        if argument.is_required_set() {
            let _ = write!(usage, " --{long} {}", placeholder(argument));
        }
    }
    let _ = writeln!(out, "### `{usage}`\n");
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, "{}.\n", about.trim_end_matches('.'));
    let own = command.get_arguments().filter(|argument| !argument.is_global_set());
    options(out, own.filter(|argument| !argument.is_positional() || argument.get_help().is_some()));
}

fn options<'a>(out: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let shown = |argument: &&Arg| !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version");
    let mut heading = "| argument | meaning |\n|---|---|\n";
    for argument in arguments.filter(shown) {
        let names = argument.get_long().map(|long| format!("--{long}")).into_iter();
        let aliases = argument.get_visible_aliases().unwrap_or_default().into_iter().map(|alias| format!("--{alias}"));
        let names = names.chain(argument.get_short().map(|short| format!("-{short}"))).chain(aliases);
        let names: Vec<String> = names.collect();
        let takes = argument.get_action().takes_values();
        let value = match (takes, argument.is_require_equals_set()) {
            (true, true) => format!("[={}]", placeholder(argument)),
            (true, false) => placeholder(argument),
            (false, _) => String::new(),
        };
        let names = names.join(", ");
        let gap = if names.is_empty() || value.is_empty() || value.starts_with('[') { "" } else { " " };
        let many =
            if matches!(argument.get_action(), ArgAction::Append) && !argument.is_positional() { "…" } else { "" };
        let _ = writeln!(out, "{heading}| `{names}{gap}{value}`{many} | {} |", meaning(argument));
        heading = "";
    }
    if heading.is_empty() {
        out.push('\n');
    }
}

fn placeholder(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The help, the values it may have, the value it has by default, the variable it is taken from.
fn meaning(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values = if argument.get_action().takes_values() { argument.get_possible_values() } else { Vec::new() };
    let values = values.iter().map(|value| match value.get_help() {
        Some(help) => format!("`{}` ({help})", value.get_name()),
        None => format!("`{}`", value.get_name()),
    });
    let values: Vec<String> = values.collect();
    if !values.is_empty() {
        let _ = write!(text, ": {}", values.join("; "));
    }
    let defaults = argument.get_default_values();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let defaults: Vec<_> = defaults.iter().map(|value| value.to_string_lossy()).collect();
        let _ = write!(text, " [default: {}]", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, " [variable: {}]", variable.to_string_lossy());
    }
    text.replace('|', "\\|")
}
