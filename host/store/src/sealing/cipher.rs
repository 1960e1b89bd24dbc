//! The format of a sealed value: `version (1) ‖ key id (4) ‖ nonce (24) ‖ ciphertext and tag`.
//!
//! The cipher is XChaCha20-Poly1305. The associated data (AAD) say where the value stands, so a
//! value that is copied to another row, column or table does not open there. Knows no database.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use secrecy::zeroize::Zeroizing;

use crate::{error::SealError, key_id::KeyId};

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Where a sealed value stands: the associated data of its encryption.
#[derive(Clone, Copy)]
pub struct AadContext<'a> {
    /// The table.
    pub table: &'static str,
    /// The column, without the `sealed_` in front.
    pub column: &'static str,
    /// The natural key of the row.
    pub row: &'a [&'a [u8]],
}

impl AadContext<'_> {
    /// Each part with its length before it, so that no two contexts have the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let parts = [self.table.as_bytes(), self.column.as_bytes()].into_iter().chain(self.row.iter().copied());
        parts.flat_map(|part| [&part.len().to_be_bytes(), part].concat()).collect()
    }
}

/// A cipher with this key.
pub(super) fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

/// The key id of a sealed value, and what comes after it.
pub(crate) fn parts(sealed: &[u8]) -> Result<(KeyId, &[u8]), SealError> {
    let (version, rest) = sealed.split_first().ok_or(SealError::Truncated)?;
    if *version != VERSION {
        return Err(SealError::Version(*version));
    }
    let (id, rest) = rest.split_first_chunk().ok_or(SealError::Truncated)?;
    Ok((*id, rest))
}

/// Seals bytes for a context, with the id of the cipher's key in front.
pub(super) fn encrypt(id: KeyId, cipher: &XChaCha20Poly1305, context: AadContext<'_>, plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the operating system has a random generator");
    let payload = Payload { msg: plain, aad: &context.associated_data() };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("values fit into memory");
    [&[VERSION], id.as_slice(), &nonce, &sealed].concat()
}

/// Opens a value that was sealed for this context by the same key.
pub(super) fn decrypt(
    cipher: &XChaCha20Poly1305,
    context: AadContext<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (id, rest) = parts(sealed)?;
    let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Truncated)?;
    let payload = Payload { msg, aad: &context.associated_data() };
    cipher.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| SealError::Changed(id))
}
