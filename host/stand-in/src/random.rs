//! Texts that are as hard to guess as real codes and tokens.

/// A prefix and 128 random bits.
pub(crate) fn random_text(prefix: &str) -> String {
    let random = || getrandom::u64().expect("the operating system has a random generator");
    format!("{prefix}{:016x}{:016x}", random(), random())
}
