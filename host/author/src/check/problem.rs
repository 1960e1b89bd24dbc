//! What a check finds: what the author has to fix, or should know.

use std::time::Duration;

use jackfield_services::setup::{MAX_VISIT_REQUESTS, MAX_VISIT_STEPS};
use thiserror::Error;

/// Something that the author has to fix or should know.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub problem: Problem,
    /// Where: a step, in words.
    pub place: String,
    /// The first question that showed it, as JSON.
    pub question: String,
}

/// What the author has to fix or should know.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// It gave no answer at all.
    #[error("{reason}: {message}")]
    Ended {
        /// In one word: `signal`, `exit`, `deadline`, `memory`, `protocol`, `oversized`, `panic`,
        /// `answer`, ….
        reason: &'static str,
        /// In the host's words.
        message: String,
    },
    /// It took longer than a plugin without I/O needs.
    #[error("slow: took {0:?} for one call")]
    Slow(Duration),
    /// Its answer was larger than a page needs to be.
    #[error("large: answered {0} bytes")]
    Large(usize),
    /// The value of a secret option was where others see it.
    #[error("leak: the value of the option `{option}` is in {place}")]
    Leak {
        /// The option.
        option: String,
        /// Where it was seen.
        place: &'static str,
    },
    /// It asks to reach something that is not a host.
    #[error("`{}` among its hosts is not a host", .0.escape_debug())]
    BadHost(String),
    /// It brings more of something than a host takes.
    #[error("limit: {0}")]
    Limit(String),
    /// It logs more than a host keeps.
    #[error("log: found {found} lines for one question, at most {limit} are kept")]
    LogFlood {
        /// Lines of one question.
        found: usize,
        /// Lines that a host keeps.
        limit: usize,
    },
    /// Its steps go on and on.
    #[error("steps: found {} steps in one visit, at most {MAX_VISIT_STEPS} are run", MAX_VISIT_STEPS + 1)]
    Steps,
    /// Its steps ask for many requests before they show anything.
    #[error("requests: found {0} requests in one visit, at most {MAX_VISIT_REQUESTS} are sent")]
    VisitRequests(usize),
    /// It sends a browser to something that is not the web.
    #[error("redirect: found `{}`, wanted an http or https URL", .0.escape_debug())]
    NotTheWeb(String),
    /// It sends a person to a host that it does not declare.
    #[error("leads away: {what} leads to {host}, which it does not declare")]
    LeadsAway {
        /// A redirect or a link.
        what: &'static str,
        /// The host, with its port if that is not the scheme's.
        host: String,
    },
    /// It brings identities of a type that is none of its providers'.
    #[error("identity: found the type {found:?}, wanted the id of one of its providers: {}", .wanted.join(", "))]
    ForeignIdentity {
        /// The type.
        found: String,
        /// The ids of its providers.
        wanted: Vec<String>,
        /// Whether a person has named it, or it is a known service's.
        is_of_anybody: bool,
    },
    /// It answers one question and then no other: it has not stopped with its answer.
    #[error("unasked: it goes on after its answer, and the next question finds it so: {0}")]
    Unasked(String),
    /// A name that a host does not show as it is.
    #[error("name: {what} has characters that act, or is too long: a host shows {shown:?}")]
    Cleaned {
        /// Whose name.
        what: &'static str,
        /// What people read.
        shown: String,
    },
    /// An error of which the log keeps a part.
    #[error("words: found {found} characters in an error, the log keeps {limit}")]
    ManyWords {
        /// Characters of the error.
        found: usize,
        /// Characters that are kept.
        limit: usize,
    },
    /// A number that it was given comes back as another.
    #[error("float: found {found} in the state where {wanted} was given")]
    Float {
        /// What came back.
        found: String,
        /// What was given.
        wanted: String,
    },
    /// It has used up what one check may cost.
    #[error("the check was stopped: {0}")]
    Stopped(String),
}

impl Problem {
    /// Whether a host runs it all the same, so that the author only has to know.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::LeadsAway { .. }
                | Self::ForeignIdentity { is_of_anybody: false, .. }
                | Self::Cleaned { .. }
                | Self::ManyWords { .. }
                | Self::Float { .. }
                | Self::Stopped(_)
        )
    }

    /// What the author can do; `None` where the problem says it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Limit(_) => "bring less: a host takes no such answer, and the setup ends".to_owned(),
            Self::LogFlood { .. } => "log what an operator acts on; the rest is dropped".to_owned(),
            Self::Steps => "show a page on the way, or do the work of several steps in one".to_owned(),
            Self::VisitRequests(_) => {
                "show a page on the way, or ask for less: a host ends such a visit and its setup".to_owned()
            }
            Self::NotTheWeb(_) => "give an absolute URL: a host ends a setup that leads elsewhere".to_owned(),
            Self::LeadsAway { host, .. } => {
                format!("declare \"{host}\" among its hosts, or people are asked on the way whether to go there")
            }
            Self::ForeignIdentity { .. } => {
                "take the provider's id as the type: a type belongs to the plugin that brings it first, and a host \
                 refuses it of any other, unless its operator lists it under [plugins.ENTRY] identities"
                    .to_owned()
            }
            Self::Unasked(_) => "do all work before the answer: a host stops a worker that nobody asks".to_owned(),
            Self::Cleaned { .. } => {
                "give a name of at most 200 characters, without controls and marks of direction".to_owned()
            }
            Self::ManyWords { .. } => "say in a sentence what failed".to_owned(),
            Self::Float { .. } => {
                "read and print numbers so that they survive (17 digits; `float_roundtrip` of serde_json), or keep \
                 them as text"
                    .to_owned()
            }
            Self::Stopped(_) => "ask less with --questions, or make it answer sooner and with less".to_owned(),
            Self::Ended { reason: "panic", .. } => {
                "return an error instead: after a panic a host starts the worker anew, and in its own process the \
                 provider is made anew"
                    .to_owned()
            }
            Self::Ended { .. } | Self::Slow(_) | Self::Large(_) | Self::Leak { .. } | Self::BadHost(_) => return None,
        })
    }

    /// Whether it is the same again.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Slow(_), Self::Slow(_))
            | (Self::Large(_), Self::Large(_))
            | (Self::LogFlood { .. }, Self::LogFlood { .. })
            | (Self::VisitRequests(_), Self::VisitRequests(_))
            | (Self::ManyWords { .. }, Self::ManyWords { .. })
            | (Self::Float { .. }, Self::Float { .. })
            | (Self::ForeignIdentity { .. }, Self::ForeignIdentity { .. }) => true,
            (Self::Limit(one), Self::Limit(other)) => without_numbers(one) == without_numbers(other),
            // Thread ids and positions differ from run to run.
            (Self::Ended { reason, message }, Self::Ended { reason: other_reason, message: other_message }) => {
                reason == other_reason && without_numbers(message) == without_numbers(other_message)
            }
            (one, other) => one == other,
        }
    }
}

fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}
