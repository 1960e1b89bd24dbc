//! Ids of keys: what tells keys apart without telling anything of them.

/// Tells data keys apart. It stands in front of every value that is sealed under the key.
pub type KeyId = [u8; 4];

/// Tells the lines of the secret key apart. Data keys are wrapped under one of them.
pub type SecretKeyId = KeyId;
