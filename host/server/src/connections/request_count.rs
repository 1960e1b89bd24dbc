//! What becomes of the requests of one connection of HTTP/2. Pure.
//!
//! A stream that is reset costs its client nothing and no longer counts as one of those that it may
//! have at once, while the work on it has begun (CVE-2023-44487). So a client that takes most of
//! its requests back is not served any longer.

/// Most requests that may be taken back before the rest of them is looked at. Browsers leave a page
/// with all of its requests, and do so now and then.
const MANY: u32 = 200;

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The head of its answer is there.
    Answered,
    /// The client has taken it back before.
    TakenBack,
}

/// Counts, of the last requests more than of those before.
#[derive(Default)]
pub(super) struct RequestCount {
    answered: u32,
    taken_back: u32,
}

impl RequestCount {
    /// Counts one more. Results in whether too many have been taken back.
    pub(super) fn ended(&mut self, end: End) -> bool {
        match end {
            End::Answered => self.answered += 1,
            End::TakenBack => self.taken_back += 1,
        }
        let is_flood = self.taken_back > MANY && self.taken_back > self.answered;
        if self.answered > 4 * MANY {
            (self.answered, self.taken_back) = (self.answered / 2, self.taken_back / 2);
        }
        is_flood
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many requests it is too much, if `answered` of each ten are answered.
    fn lasts(answered: usize) -> Option<usize> {
        let mut count = RequestCount::default();
        let end = |n: usize| if n % 10 < answered { End::Answered } else { End::TakenBack };
        (0..100_000).position(|n| count.ended(end(n)))
    }

    #[test]
    fn who_takes_most_requests_back_is_ended_and_who_takes_many_back_is_not() {
        assert_eq!(lasts(0), Some(200));
        assert!(lasts(4).is_some_and(|requests| requests < 400));
        assert_eq!(lasts(6), None);
        let mut count = RequestCount::default();
        assert!((0..100_000).all(|_| !count.ended(End::Answered)));
        let beyond = (0..10_000).position(|_| count.ended(End::TakenBack));
        assert!(beyond.is_some_and(|requests| requests < 1000), "a good past does not help for long");
    }
}
