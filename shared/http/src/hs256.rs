//! HMAC-SHA-256 for `jsonwebtoken`. The providers that come with it bring RSA and elliptic curves along, which would be in
//! every function's program.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature::{self, Signer, Verifier},
};
use sha2::Sha256;

/// The only algorithm that is issued and accepted.
pub(crate) const ALGORITHM: Algorithm = Algorithm::HS256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key: &EncodingKey| {
        Ok(Box::new(Hs256::new(*algorithm, key.family(), || Ok(key.as_bytes()))?))
    },
    verifier_factory: |algorithm, key: &DecodingKey| {
        Ok(Box::new(Hs256::new(*algorithm, key.family(), || key.try_get_as_bytes())?))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `jsonwebtoken` of this process use it. Doing so again changes nothing.
pub(crate) fn install() {
    // Refused when one is installed already: this one.
    let _ = PROVIDER.install_default();
}

/// Signs and checks with one key.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new<'a>(
        algorithm: Algorithm,
        family: AlgorithmFamily,
        key: impl FnOnce() -> Result<&'a [u8], Error>,
    ) -> Result<Self, Error> {
        if algorithm != ALGORITHM || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key()?).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }

    fn of(&self, message: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(message)
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.of(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// In constant time.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.of(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        ALGORITHM
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        ALGORITHM
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

    use super::*;

    /// RFC 7515, appendix A.1.
    #[test]
    fn signs_as_the_standard_shows() {
        install();
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = BASE64.decode(key).unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                      Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let made = jsonwebtoken::crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(&key), ALGORITHM).unwrap();
        assert_eq!(made, signature);
        let check = |signature: &str, algorithm| {
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &DecodingKey::from_secret(&key), algorithm)
        };
        assert!(check(signature, ALGORITHM).unwrap());
        assert!(!check(&signature.replace('d', "e"), ALGORITHM).unwrap_or(false));
        assert!(check(signature, Algorithm::HS512).is_err());
    }
}
