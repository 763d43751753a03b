//! Reads commands: lines, literals, and what is neither.

use imap_codec::CommandCodec;
use imap_codec::decode::{CommandDecodeError, Decoder as _};
use imap_codec::imap_types::command::Command;
use imap_codec::imap_types::core::{LiteralMode, Tag};
use imap_codec::imap_types::response::StatusKind;

use super::Session;
use crate::connection::Gone;

/// The longest command without its literals.
const LONGEST_LINE: usize = 64 * 1024;

enum Decoded {
    Command(Command<'static>, usize),
    /// Wait for more.
    More,
    /// A literal of this many bytes was announced; the client waits to be asked for it.
    Ask(usize),
    TooBig,
    Malformed,
}

impl Session {
    /// The next command; `None` where it was malformed, which the client has been told.
    pub(super) async fn read_command(&mut self) -> Result<Option<Command<'static>>, Gone> {
        // How much must be there before it is worth decoding again.
        let mut wanted = 1;
        loop {
            while self.connection.buffered().len() < wanted {
                self.connection.fill().await?;
            }
            let n_buffered = self.connection.buffered().len();
            match decode(self.connection.buffered(), self.longest_literal()) {
                Decoded::Command(command, n_bytes) => {
                    self.connection.consume(n_bytes);
                    return Ok(Some(command));
                }
                Decoded::More if n_buffered > LONGEST_LINE + self.longest_literal() => {
                    return Err(Gone);
                }
                Decoded::More => wanted = n_buffered + 1,
                Decoded::Ask(n_bytes) => {
                    self.connection.write(b"+ go on\r\n").await?;
                    wanted = n_buffered + n_bytes.max(1);
                }
                Decoded::TooBig => {
                    self.say_bye("the literal is too big");
                    self.flush().await?;
                    return Err(Gone);
                }
                Decoded::Malformed => {
                    let line = self.connection.read_piece(LONGEST_LINE).await?;
                    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
                    let tag = Tag::try_from(word.trim_ascii().to_vec()).ok();
                    self.say_status(tag, StatusKind::Bad, None, "syntax error");
                    return Ok(None);
                }
            }
        }
    }

    fn longest_literal(&self) -> usize {
        self.connection.provider.profile.max_message_bytes
    }
}

fn decode(input: &[u8], longest_literal: usize) -> Decoded {
    match CommandCodec::default().decode_static(input) {
        Ok((rest, command)) => Decoded::Command(command, input.len() - rest.len()),
        Err(CommandDecodeError::Incomplete) => Decoded::More,
        Err(CommandDecodeError::LiteralFound { length, mode, .. }) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            match mode {
                _ if length > longest_literal => Decoded::TooBig,
                // A client that waits has sent nothing after the announcement.
                LiteralMode::Sync if input.ends_with(b"}\r\n") => Decoded::Ask(length),
                _ => Decoded::More,
            }
        }
        Err(CommandDecodeError::Failed) => Decoded::Malformed,
    }
}
