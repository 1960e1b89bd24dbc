//! The memory that password hashes are computed in.

use std::hint::black_box;

use argon2::{Argon2, Block};

/// The memory of one thread, kept between hashes.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

/// At least 32 MiB are reserved, whatever is used of them: an allocation of that size goes back to
/// the system when it is freed. A smaller one stays with the allocator (`M_MMAP_THRESHOLD`).
const RESERVED: usize = 33 * 1024 * 1024 / Block::SIZE;

impl Memory {
    /// Computes a hash, then wipes what the password has left.
    pub(super) fn hash(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        out: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = argon2.params().block_count();
        self.0.reserve_exact(blocks.max(RESERVED).saturating_sub(self.0.len()));
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::new());
        }
        let used = &mut self.0[..blocks];
        let hashed = argon2.hash_password_into_with_memory(password, salt, out, &mut *used);
        used.fill(Block::new());
        black_box(used);
        hashed
    }
}
