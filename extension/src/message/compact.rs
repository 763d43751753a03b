//! Messages between the background and the views, as postcard makes bytes of them, one character a byte: ports carry
//! text. Both ends are of one build of the extension, so that nothing needs to be known by name.

use protocol::secret::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The message as text; a [`Secret`], because what is asked may hold a password.
pub fn write<T: Serialize>(message: &T) -> Option<Secret> {
    let bytes = postcard::to_allocvec(message).ok().map(Zeroizing::new)?;
    let text: String = bytes.iter().copied().map(char::from).collect();
    Some(Secret::new(text))
}

/// The message that this text is; `None` where it is none, or where something follows it.
pub fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    let bytes: Option<Vec<u8>> = text.chars().map(|one| u8::try_from(one).ok()).collect();
    let bytes = Zeroizing::new(bytes?);
    let (message, rest) = postcard::take_from_bytes(&bytes).ok()?;
    rest.is_empty().then_some(message)
}

#[cfg(test)]
mod tests;
