//! What it costs to seal and to open a typical token, against the same JSON in clear. `cargo bench
//! -p jackfield-tests --bench sealing`

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Result;
use jackfield_config::SecretKeys;
use jackfield_store::{AadContext, Sealer, grants::Tokens};

/// How long each is measured.
const TIME: Duration = Duration::from_secs(2);
/// How many are run between two looks at the clock.
const BATCH: u32 = 100;

const CONTEXT: AadContext<'static> = AadContext { table: "grants", column: "tokens", row: &[b"12345", b"bot", b""] };

/// As Slack gives them out: access and refresh token of 80 and 140 characters.
fn token() -> Tokens {
    Tokens {
        access_token: format!("xoxe.xoxb-1-{}", "a".repeat(68)),
        refresh_token: Some(format!("xoxe-1-{}", "r".repeat(133))),
        token_type: "bot".to_owned(),
        hosts: vec!["slack.com".to_owned()],
        ..Tokens::default()
    }
}

/// Seconds that one run takes.
fn measured(mut run: impl FnMut()) -> f64 {
    (0..BATCH).for_each(|_| run());
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        (0..BATCH).for_each(|_| run());
        count += BATCH;
    }
    begun.elapsed().as_secs_f64() / f64::from(count)
}

fn main() -> Result<()> {
    let sealer = Sealer::new(SecretKeys::new(["7".repeat(44).as_str()]));
    let token = token();
    let (clear, sealed) = (serde_json::to_vec(&token)?, sealer.seal(CONTEXT, &token));
    println!("a token of {} bytes as JSON, {} bytes sealed, one thread", clear.len(), sealed.len());
    let write = measured(|| drop(black_box(serde_json::to_vec(black_box(&token)))));
    let seal = measured(|| drop(black_box(sealer.seal(CONTEXT, black_box(&token)))));
    let read = measured(|| drop(black_box(serde_json::from_slice::<Tokens>(black_box(&clear)))));
    let open = measured(|| drop(black_box(sealer.open::<Tokens>(CONTEXT, black_box(&sealed)))));
    for (what, time, alone) in [("seal", seal, write), ("open", open, read)] {
        println!(
            "  {what}  {:>9.0}/s  {:>5.2} µs   {:>5.1} x the JSON alone ({:.2} µs)",
            1.0 / time,
            time * 1e6,
            time / alone,
            alone * 1e6
        );
    }
    Ok(())
}
