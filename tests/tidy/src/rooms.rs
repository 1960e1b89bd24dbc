//! Rooms inside a package, by floor.

use crate::Package;

/// Imports that lead from a room to one on the same floor or above. A room is a folder or a file
/// below the package's source; `floors` begins with the ground. Every room must have a floor; the
/// face of the package (`lib.rs`, `mod.rs`) may name all.
#[must_use]
pub fn upward_imports(package: &Package, floors: &[&[&str]]) -> Vec<String> {
    let floor = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
    let mut wrong = Vec::new();
    for (file, others) in package.references() {
        let Some(room) = room(&package.folder, file) else { continue };
        let Some(own) = floor(room) else {
            wrong.push(format!("{file}: put the room `{room}` on a floor"));
            continue;
        };
        for other in others {
            let target = self::room(&package.folder, other).filter(|target| *target != room);
            if target.and_then(floor).is_some_and(|theirs| theirs >= own) {
                wrong.push(format!("{file} must not import {other}"));
            }
        }
    }
    wrong
}

fn room<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let below = file.strip_prefix(folder)?.trim_start_matches('/');
    let first = below.split('/').next()?.trim_end_matches(".rs");
    (!matches!(first, "lib" | "main" | "mod")).then_some(first)
}
