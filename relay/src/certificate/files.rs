//! A certificate and its key in two files of the operator's. Both are read again every few seconds, and what stands there
//! is shown once it fits together: a program that renews them needs to tell nobody. What does not fit is told, and the
//! last pair that did is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use super::{Certificate, CertificateError, FailedRenewal, Flaw, Shown, ShownUntil, words_of};
use crate::clock::Clock;
use crate::ownership;

/// Between two looks at the files. By their bytes: a link that points elsewhere, or a file of the same time, is seen too.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long before its end a certificate that nobody renews is told of, and how long until it is told of again.
const TELL_AHEAD: Duration = Duration::from_hours(14 * 24);
const TELL_EVERY: Duration = Duration::from_hours(24);

/// The longest of either file; a chain of certificates has about 10 KB.
const AT_MOST_BYTES: u64 = 1024 * 1024;

/// Where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate, then those between it and its root, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What stood there.
#[derive(PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// The two files as they are followed.
pub struct Followed {
    files: Files,
    shown: Arc<Shown>,
    /// What was read last, and what was said of it.
    last: Pair,
    /// Words about what is there now, where it cannot be shown; told once they hold for two looks, for whoever writes
    /// one file after the other.
    complaint: Option<String>,
    is_told: bool,
}

impl Files {
    /// Shows what is there, and gives what follows it from now on.
    pub fn show(self, shown: Arc<Shown>) -> Result<Followed, CertificateError> {
        let last = self.read()?;
        shown.replace(self.parse(&last)?);
        Ok(Followed {
            files: self,
            shown,
            last,
            complaint: None,
            is_told: false,
        })
    }

    /// Whether they can be shown.
    pub fn check(&self) -> Result<(), CertificateError> {
        self.parse(&self.read()?).map(|_| ())
    }

    fn read(&self) -> Result<Pair, CertificateError> {
        let unreadable = |source| CertificateError::Unreadable {
            setting: "tls.certificate",
            path: self.certificate.clone(),
            source,
        };
        let mut certificate = Vec::new();
        open(&self.certificate)
            .and_then(|file| read_to_end(file, &mut certificate))
            .map_err(unreadable)?;
        Ok(Pair {
            certificate,
            key: read_key(&self.key)?,
        })
    }

    fn parse(&self, pair: &Pair) -> Result<Certificate, CertificateError> {
        let empty = |setting, path: &Path, what| CertificateError::Empty {
            setting,
            path: path.to_owned(),
            what,
        };
        Certificate::parse(&pair.certificate, &pair.key).map_err(|flaw| match flaw {
            Flaw::NoCertificate => empty("tls.certificate", &self.certificate, "certificate"),
            Flaw::NoKey => empty("tls.key", &self.key, "private key"),
            Flaw::Unfit(why) => CertificateError::Unfit {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
                why,
            },
        })
    }
}

/// A file, and nothing that never ends or never begins, as a pipe.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let words = "expected a file, found something else";
    Err(io::Error::new(ErrorKind::InvalidInput, words))
}

fn read_to_end(file: File, text: &mut Vec<u8>) -> io::Result<()> {
    file.take(AT_MOST_BYTES + 1).read_to_end(text)?;
    if text.len() as u64 <= AT_MOST_BYTES {
        return Ok(());
    }
    let words = format!("expected at most {AT_MOST_BYTES} bytes, found more");
    Err(io::Error::new(ErrorKind::InvalidData, words))
}

/// The text of the key, if it is nobody else's to read.
fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let unreadable = |source| CertificateError::Unreadable {
        setting: "tls.key",
        path: path.to_owned(),
        source,
    };
    let file = open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if let Some(mode) = ownership::exposure(&metadata) {
        return Err(CertificateError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = Zeroizing::new(Vec::new());
    read_to_end(file, &mut text).map_err(unreadable)?;
    Ok(text)
}

impl Followed {
    /// Follows the files for as long as the relay runs. `ending` has the certificate that is shown while it is near its
    /// end: nobody but a person renews it.
    pub async fn follow(
        mut self,
        host: String,
        clock: Clock,
        ending: &watch::Sender<Option<FailedRenewal>>,
    ) {
        let mut since_told = TELL_EVERY;
        loop {
            let near = find_end(&self.shown, clock.now());
            ending.send_if_modified(|told| {
                *told != near && {
                    *told = near;
                    true
                }
            });
            if since_told >= TELL_EVERY && tell_end(&self.shown, &host, &clock) {
                since_told = Duration::ZERO;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            since_told += LOOK_EVERY;
            // A disk that does not answer is not to keep anything else waiting.
            let looked = tokio::task::spawn_blocking(move || {
                let is_new = self.look();
                (self, is_new)
            });
            let Ok((followed, is_new)) = looked.await else {
                return;
            };
            self = followed;
            if is_new {
                since_told = TELL_EVERY;
            }
        }
    }

    /// Looks once; whether another certificate is shown since.
    fn look(&mut self) -> bool {
        let found = self.files.read();
        if let Ok(pair) = &found
            && *pair == self.last
            && self.complaint.is_none()
        {
            return false;
        }
        let read = found.and_then(|pair| Ok((self.files.parse(&pair)?, pair)));
        match read {
            Ok((certificate, pair)) => {
                let is_new = pair != self.last;
                if is_new || self.is_told {
                    tracing::info!(ends_at = %certificate.ends_at, "the certificate is shown from now on");
                }
                self.shown.replace(certificate);
                self.last = pair;
                self.complaint = None;
                self.is_told = false;
                is_new
            }
            Err(error) => {
                let words = words_of(&error);
                if self.complaint.as_deref() != Some(words.as_str()) {
                    self.complaint = Some(words);
                    self.is_told = false;
                } else if !self.is_told {
                    tracing::error!(
                        error = words,
                        "the certificate was changed and cannot be used: the one before is shown on"
                    );
                    self.is_told = true;
                }
                false
            }
        }
    }
}

/// The certificate that is shown, where it is near its end or past it.
fn find_end(shown: &Shown, now: Timestamp) -> Option<FailedRenewal> {
    let certificate = shown.current()?;
    let renew_at = tell_from(&certificate);
    let ends_at = certificate.ends_at;
    (now >= renew_at).then_some(FailedRenewal {
        in_row: 0,
        shown: Some(ShownUntil { renew_at, ends_at }),
    })
}

/// From when on its end is told: for one of a short life, such as six days, when two thirds of it are over.
fn tell_from(certificate: &Certificate) -> Timestamp {
    let ahead_ms = i64::try_from(TELL_AHEAD.as_millis()).unwrap_or(i64::MAX);
    let ahead = Timestamp::from_ms(certificate.ends_at.as_ms().saturating_sub(ahead_ms));
    ahead.max(certificate.renew_at())
}

/// Tells what is wrong with the certificate that is shown; whether something was.
fn tell_end(shown: &Shown, host: &str, clock: &Clock) -> bool {
    let Some(certificate) = shown.current() else {
        return false;
    };
    let (now, ends_at) = (clock.now(), certificate.ends_at);
    if !certificate.is_for(host) {
        tracing::error!(
            host,
            "the certificate is not for the host of public_url: browsers refuse it"
        );
    }
    if now >= ends_at {
        tracing::error!(%ends_at, "the certificate has run out: browsers and the extension refuse it until it is renewed");
    } else if now >= tell_from(&certificate) {
        tracing::warn!(%ends_at, "the certificate runs out soon");
    } else {
        return !certificate.is_for(host);
    }
    true
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    /// A certificate for this name until the end of that year, and its key.
    fn make(name: &str, until: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut asked = CertificateParams::new([name.to_owned()]).unwrap();
        asked.not_after = date_time_ymd(until, 12, 31);
        let certificate = asked.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    struct Place {
        folder: TempDir,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { folder }
        }

        fn files(&self) -> Files {
            Files {
                certificate: self.folder.path().join("certificate.pem"),
                key: self.folder.path().join("key.pem"),
            }
        }

        fn write(&self, certificate: &str, key: &str) {
            let files = self.files();
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
            fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn end_of(shown: &Shown) -> String {
        shown.current().unwrap().ends_at.to_string()
    }

    #[test]
    fn what_is_written_later_is_shown_once_it_fits_together() {
        let (place, shown) = (Place::new(), Arc::new(Shown::default()));
        let (first, key) = make("relay.acme.example", 2031);
        place.write(&first, &key);
        let mut followed = place.files().show(Arc::clone(&shown)).unwrap();
        assert_eq!(end_of(&shown), "2031-12-31T00:00:00.000Z");
        assert!(shown.current().unwrap().is_for("relay.acme.example"));
        assert!(!shown.current().unwrap().is_for("acme.example"));
        assert!(!followed.look(), "the same");
        let (second, its_key) = make("relay.acme.example", 2032);
        place.write(&second, &key);
        for _ in 0..3 {
            assert!(!followed.look(), "half of it is written");
            assert_eq!(end_of(&shown), "2031-12-31T00:00:00.000Z");
        }
        assert!(followed.is_told);
        place.write(&second, &its_key);
        assert!(followed.look());
        assert_eq!(end_of(&shown), "2032-12-31T00:00:00.000Z");
        for (certificate, key) in [
            ("", ""),
            (second.as_str(), ""),
            ("", its_key.as_str()),
            ("-----BEGIN", "x"),
        ] {
            place.write(certificate, key);
            assert!(!followed.look() && !followed.look(), "{certificate:?}");
            assert_eq!(end_of(&shown), "2032-12-31T00:00:00.000Z");
        }
        fs::remove_file(place.files().key).unwrap();
        assert!(!followed.look());
        assert_eq!(end_of(&shown), "2032-12-31T00:00:00.000Z");
        place.write(&second, &its_key);
        assert!(!followed.look(), "back, and the same as before");
        place.write(&first, &key);
        assert!(followed.look());
        assert_eq!(end_of(&shown), "2031-12-31T00:00:00.000Z");
    }

    #[test]
    fn the_end_of_a_certificate_is_near_two_weeks_before_it_and_for_a_short_one_in_its_last_third()
    {
        let day = |n: i64| Timestamp::from_ms(n * 86_400_000);
        for (begins, ends, from) in [(0, 365, 351), (0, 90, 76), (10, 16, 14)] {
            let (place, shown) = (Place::new(), Shown::default());
            let (text, key) = make("relay.acme.example", 2031);
            place.write(&text, &key);
            let files = place.files();
            let mut certificate = files.parse(&files.read().unwrap()).unwrap();
            (certificate.begins_at, certificate.ends_at) = (day(begins), day(ends));
            shown.replace(certificate);
            let before = Timestamp::from_ms(day(from).as_ms() - 1);
            assert_eq!(find_end(&shown, before), None, "{ends}");
            for now in [day(from), day(ends), day(ends + 9)] {
                let near = find_end(&shown, now).unwrap();
                let until = near.shown.unwrap();
                assert_eq!((near.in_row, until.ends_at), (0, day(ends)));
                assert_eq!(until.renew_at, day(from), "{ends}");
            }
        }
        assert_eq!(find_end(&Shown::default(), day(1)), None);
    }

    #[test]
    fn what_cannot_be_shown_is_refused_with_its_file() {
        let (certificate, key) = make("relay.acme.example", 2031);
        let (_, other) = make("relay.acme.example", 2031);
        for (certificate, key, mode, words) in [
            (
                certificate.as_str(),
                key.as_str(),
                0o640,
                "key.pem can be read by others (mode 640)",
            ),
            (
                certificate.as_str(),
                other.as_str(),
                0o600,
                "cannot be used together: the key is not the one of this certificate",
            ),
            (
                certificate.as_str(),
                "",
                0o600,
                "key.pem holds no private key",
            ),
            (
                "nothing",
                key.as_str(),
                0o600,
                "certificate.pem holds no certificate",
            ),
            (
                key.as_str(),
                key.as_str(),
                0o600,
                "certificate.pem holds no certificate",
            ),
        ] {
            let place = Place::new();
            place.write(certificate, key);
            let files = place.files();
            fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
            let Err(error) = files.show(Arc::default()) else {
                panic!("{words}");
            };
            let told = error.to_string();
            assert!(told.contains(words), "{told}");
            assert!(!told.contains("PRIVATE"), "{told}");
        }
        let missing = Place::new().files().show(Arc::default()).err().unwrap();
        assert!(
            missing.to_string().starts_with("tls.certificate "),
            "{missing}"
        );
    }

    #[test]
    fn a_pipe_and_a_text_without_measure_keep_nobody_waiting() {
        let place = Place::new();
        let (certificate, key) = make("relay.acme.example", 2031);
        place.write(&certificate, &key);
        let files = place.files();
        files.check().unwrap();
        fs::remove_file(&files.certificate).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &files.certificate, rustix::fs::Mode::RUSR).unwrap();
        let refused = words_of(&files.check().unwrap_err());
        assert!(
            refused.contains("expected a file, found something else"),
            "{refused}"
        );
        fs::remove_file(&files.certificate).unwrap();
        fs::write(&files.certificate, vec![b' '; 1024 * 1024 + 1]).unwrap();
        let refused = words_of(&files.check().unwrap_err());
        assert!(
            refused.contains("expected at most 1048576 bytes, found more"),
            "{refused}"
        );
    }
}
