//! Plain values that many envelopes have.

use serde_json::Value;

/// Names and values in order, as in a query or a form. A name may occur twice.
pub type Pairs = Vec<(String, String)>;

/// A JSON object: the values that the steps of one setup have bound.
pub type State = serde_json::Map<String, Value>;
