//! Words that nobody can guess.

use std::time::{SystemTime, UNIX_EPOCH};

/// 128 random bits in hex. The error is the system's, which has none.
pub(crate) fn word() -> Result<String, getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// The same where a word that only differs from all others does: the time takes the place of bits that the system has not.
pub(crate) fn some_word() -> String {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
    word().unwrap_or_else(|_| format!("{:032x}", now()))
}
