//! The counts that are kept in a file beside this one, and what somebody reads who has changed one.

use std::{fmt::Write, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use super::counted_app::Counts;

/// Allocations and SQLite's instructions may differ by this part of those that are kept: the sizes
/// of numbers, the growth of maps and random keys differ from run to run. All other counts are
/// exact.
const TOLERANCE: f64 = 0.03;
/// The columns that it is for.
pub(super) const ALLOCATIONS: &str = "allocations";
pub(super) const INSTRUCTIONS: &str = "instructions";

/// A table with one row for each request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<(String, Counts)>,
}

/// Compares with the kept table, or keeps the new one if that is wanted.
pub(super) fn assert_kept(file: &str, table: &Table) -> Result<()> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/counts").join(file);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|wanted| wanted == "always") {
        return Ok(fs::write(path, table.written()?)?);
    }
    let kept = Table::read(&fs::read_to_string(&path).unwrap_or_default())?;
    let changes = kept.changes(table);
    ensure!(
        changes.is_empty(),
        "what requests cost is not what tests/tests/it/counts/{file} says:\n{}\n\nIf that is on purpose, keep the new \
         numbers, and say in the commit why a request costs that:\n\n    \
         INSTA_UPDATE=always cargo test -p jackfield-tests --test it -- requests_cost\n",
        changes.join("\n")
    );
    Ok(())
}

impl Table {
    fn read(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let columns = lines.next().unwrap_or_default().split_whitespace().skip(1).map(str::to_owned).collect();
        let rows = lines.map(row).collect::<Result<_>>()?;
        Ok(Self { columns, rows })
    }

    fn written(&self) -> Result<String> {
        let mut text = format!("{:<18}", "request");
        self.columns.iter().try_for_each(|column| write!(text, "{column:>13}"))?;
        for (name, counts) in &self.rows {
            write!(text, "\n{name:<18}")?;
            counts.iter().try_for_each(|count| write!(text, "{count:>13}"))?;
        }
        Ok(text + "\n")
    }

    /// What differs in another table, in words.
    fn changes(&self, new: &Self) -> Vec<String> {
        let gone = self.rows.iter().filter(|(name, _)| !new.rows.iter().any(|(other, _)| other == name));
        let mut changes: Vec<String> = gone.map(|(name, _)| format!("  {name}: is not counted any more")).collect();
        for (name, counts) in &new.rows {
            let kept = self.rows.iter().find(|(known, _)| known == name).map(|(_, counts)| counts.as_slice());
            for (at, (column, count)) in new.columns.iter().zip(counts).enumerate() {
                let kept = kept.and_then(|kept| kept.get(at)).copied();
                if kept.is_none_or(|kept| differs(column, kept, *count)) {
                    let kept = kept.map_or_else(|| "unknown".to_owned(), |kept| kept.to_string());
                    changes.push(format!("  {name}: {column} {kept} -> {count}"));
                }
            }
        }
        changes
    }
}

fn row(line: &str) -> Result<(String, Counts)> {
    // The name may hold spaces and ends before two of them.
    let (name, counts) = line.split_once("  ").context("a name")?;
    let counts = counts.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    Ok((name.to_owned(), counts.with_context(|| format!("numbers in {line:?}"))?))
}

fn differs(column: &str, kept: u64, count: u64) -> bool {
    let tolerated = if [ALLOCATIONS, INSTRUCTIONS].contains(&column) { kept as f64 * TOLERANCE } else { 0.0 };
    kept.abs_diff(count) as f64 > tolerated
}

#[test]
fn a_table_of_counts_says_what_has_changed() -> Result<()> {
    let table = |rows: &[(&str, [u64; 2])]| Table {
        columns: ["syncs", ALLOCATIONS].map(str::to_owned).to_vec(),
        rows: rows.iter().map(|(name, counts)| ((*name).to_owned(), counts.to_vec())).collect(),
    };
    let kept = table(&[("token read", [1, 1000]), ("list of 15", [0, 1000])]);
    assert_eq!(Table::read(&kept.written()?)?, kept);
    assert_eq!(kept.changes(&table(&[("token read", [1, 1030]), ("list of 15", [0, 970])])), Vec::<String>::new());
    let new = table(&[("token read", [2, 1031]), ("proxied call", [0, 9])]);
    insta::assert_snapshot!(kept.changes(&new).join("\n"), @"
      list of 15: is not counted any more
      token read: syncs 1 -> 2
      token read: allocations 1000 -> 1031
      proxied call: syncs unknown -> 0
      proxied call: allocations unknown -> 9
    ");
    Ok(())
}
