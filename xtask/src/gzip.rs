//! Bytes as they travel: packed as hard as gzip packs, with nothing in them that changes from one
//! run to the next.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The packed bytes, without a time and without a name (RFC 1952 §2.3.1).
pub(crate) fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_was_packed_comes_back_and_has_no_time() {
        let text = b"paused ".repeat(100);
        let packed = gzip(&text).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(packed[4..8], [0; 4], "MTIME");
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, text);
    }
}
