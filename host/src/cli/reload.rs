//! `jackfield reload`.

use std::path::Path;

use super::lines::{line, print_lines};
use jackfield_server::control::Control;
use jackfield_services::reload::Reloaded;

/// Makes the running host reload its configuration, and prints what changed.
pub(super) async fn run(file: &Path) -> anyhow::Result<()> {
    // The file may be wrong, and the host reports that better. Only the address of the host is
    // needed.
    let (settings, _) = jackfield_config::load_lenient(file)?;
    print(&Control::at(&settings.system.control).reload().await?);
    Ok(())
}

fn print(Reloaded { changes, skipped, needs_restart }: &Reloaded) {
    line!("reloaded");
    for (what, entries) in [
        ("added", &changes.added),
        ("replaced", &changes.replaced),
        ("removed", &changes.removed),
        ("kept", &changes.kept),
        ("starting", &changes.starting),
    ] {
        if !entries.is_empty() {
            line!("  {what:<9} {}", entries.join(", "));
        }
    }
    skipped.iter().for_each(|diagnostic| print_lines(&format!("skipped: {diagnostic}")));
    if !needs_restart.is_empty() {
        line!("note: {} take effect with the next start only", needs_restart.join(", "));
    }
}
