//! Many people at once who do the same thing again and again, and what that took.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::try_join_all;

use tokio::time::sleep;

use crate::resources::Group;

/// How long somebody waits who was refused.
const PAUSE: Duration = Duration::from_secs(1);

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// This time is over.
    Time(Duration),
    /// This many turns were taken.
    Count(usize),
}

/// What a load was like.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// How many in a second.
    pub(crate) rate: f64,
    /// How many there were.
    pub(crate) turns: usize,
    /// Half of the turns took at most this long.
    pub(crate) p50: Duration,
    /// 99 of 100 turns took at most this long.
    pub(crate) p99: Duration,
    /// How many more the server has refused with 503.
    pub(crate) refused: usize,
    /// Processor seconds of the server for each turn.
    pub(crate) cpu: f64,
    /// Part of its core that the load generator used. Near 1 it is the load generator that is
    /// measured, and not the server.
    pub(crate) generator: f64,
}

/// One of the people, with what they need for a turn.
pub(crate) trait Person {
    /// Does the thing once. Turns are numbered over all people.
    async fn turn(&mut self, number: usize) -> Result<Outcome>;
}

/// How a turn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The server sheds load: it has answered with 503.
    Refused,
}

/// Has all people take turns, and measures what the server uses meanwhile. Numbers of turns begin
/// at `first`.
pub(crate) async fn measured<P: Person>(
    people: &mut [P],
    until: Until,
    first: usize,
    server: &Group,
) -> Result<Measured> {
    let (before, own) = (server.usage(), Group::this().usage());
    let Repeated { times, refused } = turns(people, until, first).await?;
    let (used, _) = server.usage().since(before);
    let (own, seconds) = Group::this().usage().since(own);
    let turns = times.len();
    Ok(Measured {
        rate: turns as f64 / seconds,
        turns,
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
        refused,
        cpu: used / turns as f64,
        generator: own / seconds,
    })
}

/// What came of all of them.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    /// How long each took, the shortest first. Refused ones are not among them.
    times: Vec<Duration>,
    refused: usize,
}

/// Has all people take turns.
pub(crate) async fn turns<P: Person>(people: &mut [P], until: Until, first: usize) -> Result<Repeated> {
    let (begun, number, all) = (Instant::now(), Cell::new(0), RefCell::new(Repeated::default()));
    let is_over = || match until {
        Until::Time(time) => begun.elapsed() >= time,
        Until::Count(turns) => number.get() >= turns,
    };
    let at_work = people.iter_mut().map(async |person| {
        while !is_over() {
            let turn = first + number.replace(number.get() + 1);
            let begun = Instant::now();
            match person.turn(turn).await? {
                Outcome::Done => all.borrow_mut().times.push(begun.elapsed()),
                Outcome::Refused => {
                    all.borrow_mut().refused += 1;
                    sleep(PAUSE).await;
                }
            }
        }
        anyhow::Ok(())
    });
    try_join_all(at_work).await?;
    let mut all = all.into_inner();
    all.times.sort_unstable();
    Ok(all)
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let at = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_first_time_that_so_many_are_not_above() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        for (part, milliseconds) in [(0.0, 1), (0.5, 100), (0.99, 198), (1.0, 200)] {
            assert_eq!(quantile(&times, part), Duration::from_millis(milliseconds), "{part}");
        }
        assert_eq!(quantile(&times[..1], 0.99), Duration::from_millis(1));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
