//! Tables of the documentation, for tests that hold code to them.

/// The rows of the table that follows `<!-- names: NAME -->` in a page: of each cell the names in backticks, with a `?` that
/// follows one; of a cell without any, its text. The heading is left out.
///
/// # Panics
/// When there is no such table.
#[must_use]
#[expect(clippy::panic, reason = "a test fails by a panic")]
pub fn table(page: &str, name: &str) -> Vec<Vec<Vec<String>>> {
    let marker = format!("<!-- names: {name} -->\n");
    let (_, after) = page.split_once(&marker).unwrap_or_else(|| panic!("no table '{name}' in the page"));
    let rows: Vec<_> = after.lines().take_while(|line| line.starts_with('|')).skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "the table '{name}' has no rows");
    rows
}

fn cells(line: &str) -> Vec<Vec<String>> {
    line.trim_matches('|').split('|').map(|cell| names(cell.trim())).collect()
}

fn names(cell: &str) -> Vec<String> {
    let pieces: Vec<&str> = cell.split('`').collect();
    if pieces.len() == 1 {
        return if matches!(cell, "" | "–") { Vec::new() } else { vec![cell.to_owned()] };
    }
    let marked =
        |(name, after): (&&str, &&str)| if after.starts_with('?') { format!("{name}?") } else { (*name).to_owned() };
    pieces.iter().skip(1).step_by(2).zip(pieces.iter().skip(2).step_by(2)).map(marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_names() {
        let page = "text\n<!-- names: some -->\n| a | b |\n|---|---|\n| `x` | `y`?, `z` |\n| 5 | – |\n\n| `no` |\n";
        assert_eq!(table(page, "some"), [[vec!["x"], vec!["y?", "z"]], [vec!["5"], vec![]]]);
    }
}
