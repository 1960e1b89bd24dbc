//! The signature algorithms that are accepted.

/// A signature algorithm with a public key (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

const NAMES: [(Algorithm, &str); 4] = [
    (Algorithm::Rs256, "RS256"),
    (Algorithm::Ps256, "PS256"),
    (Algorithm::Es256, "ES256"),
    (Algorithm::EdDsa, "EdDSA"),
];

impl Algorithm {
    /// The algorithm of a registered name. Case matters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(algorithm, _)| *algorithm)
    }

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_none_nor_an_algorithm_with_a_shared_secret_is_known() {
        // RFC 8725 section 3.1.
        for name in ["none", "None", "NONE", "", "HS256", "HS512", "rs256", "RS1", "RS256 ", "ES256K"] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
        for (algorithm, name) in NAMES {
            assert_eq!((Algorithm::named(name), algorithm.name()), (Some(algorithm), name));
        }
    }
}
