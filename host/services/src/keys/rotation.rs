//! What to rotate, and what a rotation has done. Both also cross the control socket as JSON.

use serde::{Deserialize, Serialize};

/// What to rotate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rotation {
    /// The data key: a new one is made.
    DataKey,
    /// The secret key: all data keys are wrapped under the newest one, and a new data key is made.
    SecretKey {
        /// Id of the newest secret key, so that nobody rotates to another than they mean: eight
        /// hexadecimal digits.
        newest: String,
    },
}

/// What a rotation has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rotated {
    /// Id of the data key that everything is sealed under now.
    pub key: String,
    /// Whether it resumed an interrupted rotation instead of making a new key.
    pub is_continued: bool,
    /// How many data keys were wrapped under the newest secret key.
    pub rewrapped: usize,
    /// How many values were resealed.
    pub resealed: u64,
    /// How many values cannot be opened. They were left as they are.
    pub damaged: u64,
    /// Ids of old data keys that were removed.
    pub removed: Vec<String>,
}
