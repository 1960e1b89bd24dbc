//! Asks before something is done for which there is no way back.

use std::io::{IsTerminal, Write};

use anyhow::{bail, ensure};

/// Has the operator type a word, unless `--yes` has said so already.
pub(super) fn confirm(word: &str, is_confirmed: bool) -> anyhow::Result<()> {
    if is_confirmed {
        return Ok(());
    }
    let input = std::io::stdin();
    ensure!(input.is_terminal(), "nothing is changed\n  help: say --yes, or run this on a terminal and be asked");
    write!(std::io::stderr(), "There is no way back. Type `{word}` to go on: ")?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    if line.trim() != word {
        bail!("nothing is changed");
    }
    Ok(())
}
