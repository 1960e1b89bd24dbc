//! Authorization codes (RFC 6749 section 4.1.2).

use std::collections::HashMap;

use parking_lot::Mutex;

use super::random::random_text;

/// The codes that were issued and not used. `G` is what a code was issued for.
#[derive(Debug)]
pub struct AuthorizationCodes<G>(Mutex<HashMap<String, G>>);

impl<G> AuthorizationCodes<G> {
    /// A new code, which begins with the prefix.
    pub fn issue(&self, prefix: &str, grant: G) -> String {
        let code = random_text(prefix);
        self.0.lock().insert(code.clone(), grant);
        code
    }

    /// What a code was issued for. The first request with a code uses it up, good or bad.
    pub fn redeem(&self, code: &str) -> Option<G> {
        self.0.lock().remove(code)
    }
}

impl<G> Default for AuthorizationCodes<G> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once_and_another_never() {
        let codes = AuthorizationCodes::default();
        let code = codes.issue("code-", 7);
        assert!(code.starts_with("code-") && code != codes.issue("code-", 8));
        assert_eq!([codes.redeem(&code), codes.redeem(&code), codes.redeem("")], [Some(7), None, None]);
    }
}
