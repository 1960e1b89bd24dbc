//! `kill -9` at random moments of a rotation of keys: whatever it had done, all is whole in the end.

use std::time::Duration;

use anyhow::Result;
use jackfield::{
    config::SecretKeys,
    store::{Sealer, Store, StoreResult, integrations},
};
use jackfield_tests::{
    host::Folder,
    kills::{Ended, Kills, uninterrupted},
};
use serde_json::{Map, Value, json};

use crate::stage::bare;

/// How many rows are sealed.
const ROWS: usize = 400;
/// How often the process is killed.
const KILLS: usize = 200;

async fn store(folder: &Folder) -> Result<Store> {
    let data = folder.folder().join("data");
    let key = std::fs::read_to_string(data.join("secret.key"))?;
    let sealer = Sealer::new(SecretKeys::new(key.lines()));
    Ok(Store::open(&format!("sqlite://{}", data.join("jackfield.db").display()), sealer).await?)
}

fn metadata(n: usize) -> Map<String, Value> {
    json!({"access_token": format!("secret-{n:04}")}).as_object().cloned().unwrap_or_default()
}

async fn fill(store: &Store) -> StoreResult<()> {
    let (sealer, now) = (store.sealer().clone(), time::OffsetDateTime::now_utc());
    let fill = move |c: &mut _| {
        for n in 0..ROWS {
            let (external_id, name) = (format!("row-{n:04}"), format!("Row {n:04}"));
            let new =
                integrations::NewIntegration { provider: "p".to_owned(), external_id, name, metadata: metadata(n) };
            integrations::install(c, &sealer, new, now)?;
        }
        Ok(())
    };
    store.write(fill).await
}

async fn assert_whole(store: &Store) -> StoreResult<()> {
    let sealer = store.sealer().clone();
    let look = move |c: &mut _| {
        for n in 0..ROWS {
            let row = integrations::by_external_id(c, "p", &format!("row-{n:04}"))?.expect("no row is lost");
            assert_eq!(integrations::metadata(c, &sealer, row.id)?, Some(metadata(n)), "row {n}");
        }
        Ok(())
    };
    store.read(look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_200_times_ends_with_every_row_whole_under_one_key() -> Result<()> {
    let folder = bare().keep_folder();
    assert!(folder.run(&["migrate"])?.status.success());
    let store = store(&folder).await?;
    fill(&store).await?;
    let rotate = || folder.command(&["key", "rotate"]);
    let longest = uninterrupted(&mut rotate())?.max(Duration::from_millis(20));
    let mut kills = Kills::new()?;
    let (mut killed, mut runs) = (0, 0);
    while killed < KILLS && runs < 4 * KILLS {
        runs += 1;
        killed += usize::from(kills.run(&mut rotate(), longest)? == Ended::Killed);
        if killed % 50 == 0 {
            assert_whole(&store).await?;
        }
    }
    println!("{killed} of {runs} were killed within {longest:?}");
    assert_eq!(killed, KILLS);
    // The first may only go on with what was interrupted; the second is a rotation of its own, or goes on with nothing.
    uninterrupted(&mut rotate())?;
    uninterrupted(&mut rotate())?;
    let check = folder.run(&["key", "check"])?;
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let status = String::from_utf8(folder.run(&["key", "status"])?.stdout)?;
    assert!(status.contains(&format!("{ROWS} values")) && status.contains("  current  "), "{status}");
    assert!(!status.contains("  old  ") && !status.contains("unknown"), "{status}");
    Ok(assert_whole(&store).await?)
}
