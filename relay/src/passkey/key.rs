//! The public key of a credential, in COSE (RFC 9052 §7), and the signatures that it verifies (RFC 9053 §2, RFC 8812 §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coset::cbor::Value;
use coset::iana::{Algorithm, Ec2KeyParameter, EllipticCurve, EnumI64 as _, OkpKeyParameter};
use coset::iana::{KeyType, RsaKeyParameter};
use coset::{AsCborValue as _, CoseKey, Label, RegisteredLabel, RegisteredLabelWithPrivate};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::Fault;
use super::data::read;

/// A public key that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// As it was sent, in CBOR.
    raw: Vec<u8>,
    key: Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// The point, uncompressed (SEC 1 §2.3.3).
    Es256([u8; 65]),
    EdDsa([u8; 32]),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// The key in a row.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let raw = URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::NotAKey)?;
        let mut rest = raw.as_slice();
        let value = read(&mut rest).map_err(|_| Fault::NotAKey)?;
        if rest.is_empty() {
            Self::from_value(value, &raw)
        } else {
            Err(Fault::NotAKey)
        }
    }

    /// As it stands in a row.
    pub fn render(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.raw)
    }

    /// Of CBOR that was read.
    pub(super) fn from_value(value: Value, raw: &[u8]) -> Result<Self, Fault> {
        let cose = CoseKey::from_cbor_value(value).map_err(|_| Fault::NotAKey)?;
        let key = read_key(&cose).ok_or(Fault::NotAKey)?;
        let raw = raw.to_vec();
        Ok(Self { raw, key })
    }

    /// Whether the signature is that of this key over this message.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
        match &self.key {
            Key::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Key::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Key::Rs256 { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        }
        .map_err(|_| Fault::NotSigned)
    }
}

/// Kind, algorithm and curve must go together (Web Authentication §5.8.5).
fn read_key(cose: &CoseKey) -> Option<Key> {
    let RegisteredLabel::Assigned(kind) = cose.kty else {
        return None;
    };
    let Some(RegisteredLabelWithPrivate::Assigned(algorithm)) = cose.alg else {
        return None;
    };
    let find = |label: i64| {
        let mut found = cose.params.iter();
        found
            .find(|(name, _)| *name == Label::Int(label))
            .map(|(_, value)| value)
    };
    let bytes = |label: i64| find(label)?.as_bytes();
    let is_on = |label: i64, curve: EllipticCurve| {
        let found = find(label).and_then(Value::as_integer);
        found.is_some_and(|found| i128::from(found) == i128::from(curve.to_i64()))
    };
    match (kind, algorithm) {
        (KeyType::EC2, Algorithm::ES256)
            if is_on(Ec2KeyParameter::Crv.to_i64(), EllipticCurve::P_256) =>
        {
            let x: &[u8; 32] = bytes(Ec2KeyParameter::X.to_i64())?
                .as_slice()
                .try_into()
                .ok()?;
            let y: &[u8; 32] = bytes(Ec2KeyParameter::Y.to_i64())?
                .as_slice()
                .try_into()
                .ok()?;
            let point = [[4].as_slice(), x, y].concat();
            Some(Key::Es256(point.try_into().ok()?))
        }
        (KeyType::OKP, Algorithm::EdDSA)
            if is_on(OkpKeyParameter::Crv.to_i64(), EllipticCurve::Ed25519) =>
        {
            let x = bytes(OkpKeyParameter::X.to_i64())?.as_slice();
            Some(Key::EdDsa(x.try_into().ok()?))
        }
        (KeyType::RSA, Algorithm::RS256) => Some(Key::Rs256 {
            n: bytes(RsaKeyParameter::N.to_i64())?.clone(),
            e: bytes(RsaKeyParameter::E.to_i64())?.clone(),
        }),
        _ => None,
    }
}
