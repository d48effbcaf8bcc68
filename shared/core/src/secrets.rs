//! Encryption at rest (contract 17) and digests of random tokens.

use std::sync::Arc;

use aes_gcm::{
    AesGcm, KeyInit,
    aead::{Aead, Payload, consts::U16},
    aes::Aes256,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};

use crate::{
    config::EncryptionKey,
    secret::{KeyRing, Secret},
};

/// AES-256-GCM with the 16-byte nonce that existing installations use.
type Aes256Gcm16 = AesGcm<Aes256, U16>;

const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const ASSOCIATED_DATA: &[u8] = b"hypersigil";

/// The stored text is no ciphertext of this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret cannot be decrypted: it is damaged, or was written with a key that is not in ENCRYPTION_KEY")]
pub struct DecryptError;

/// Encrypts and decrypts short secrets such as provider keys, with the keys of `ENCRYPTION_KEY`.
///
/// Stored form: base64 of nonce, tag and ciphertext, joined by colons; additional data `hypersigil`. It does not name its
/// key, because existing installations and earlier versions do not: the tag tells which key fits, newest first.
#[derive(Clone)]
pub struct Cipher {
    keys: Arc<KeyRing<IdentifiedKey>>,
}

struct IdentifiedKey {
    id: String,
    cipher: Aes256Gcm16,
}

impl From<&EncryptionKey> for IdentifiedKey {
    fn from(key: &EncryptionKey) -> Self {
        let digest = Sha256::new().chain_update(b"id of an encryption key").chain_update(key.0).finalize();
        Self { id: hex::encode(&digest[..4]), cipher: Aes256Gcm16::new(&key.0.into()) }
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(…)")
    }
}

impl Cipher {
    /// A cipher with this key alone.
    pub fn new(key: &EncryptionKey) -> Self {
        Self::with_keys(&key.clone().into())
    }

    /// A cipher that encrypts with the first key and decrypts what any of them wrote.
    pub fn with_keys(keys: &KeyRing<EncryptionKey>) -> Self {
        let mut identified = keys.iter().map(IdentifiedKey::from);
        let first = identified.next().expect("a ring has a first key");
        Self { keys: Arc::new(KeyRing::new(first, identified.collect())) }
    }

    /// Names for the keys that tell nothing about them, the one that encrypts first. The same key has the same name in
    /// every process.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Where in [`key_ids`](Self::key_ids) the key stands that wrote a stored text, and the secret behind it.
    pub fn find_key(&self, stored: &str) -> Result<(usize, Secret), DecryptError> {
        let opened = self.keys.iter().map(|key| open(&key.cipher, stored));
        opened.enumerate().find_map(|(index, secret)| Some((index, secret?))).ok_or(DecryptError)
    }

    /// Encrypts `secret` under a fresh random nonce.
    pub fn encrypt(&self, secret: &Secret) -> String {
        let nonce: [u8; NONCE_BYTES] = random_bytes();
        let payload = Payload { msg: secret.reveal().as_bytes(), aad: ASSOCIATED_DATA };
        let sealed =
            self.keys.first().cipher.encrypt(&nonce.into(), payload).expect("secrets are far below the cipher's limit");
        let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
        [&nonce[..], tag, ciphertext].map(|part| BASE64.encode(part)).join(":")
    }

    /// The secret behind a stored text.
    pub fn decrypt(&self, stored: &str) -> Result<Secret, DecryptError> {
        self.find_key(stored).map(|(_, secret)| secret)
    }
}

fn open(cipher: &Aes256Gcm16, stored: &str) -> Option<Secret> {
    let mut parts = stored.split(':').map(|part| BASE64.decode(part).ok());
    let (nonce, tag, mut sealed) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || tag.len() != TAG_BYTES {
        return None;
    }
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    sealed.extend_from_slice(&tag);
    let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: ASSOCIATED_DATA }).ok()?;
    String::from_utf8(opened).ok().map(Secret::new)
}

/// `N` bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// Lower-case hex SHA-256 of a text that carries enough randomness of its own (API keys, tokens of links). What is looked up
/// is the digest, which callers cannot steer, so how long the database compares tells nothing about a token.
pub fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// What may be shown of a key (decision S-02): its ends when it has at least 16 characters, else eight dots.
pub fn mask(secret: &Secret) -> String {
    let characters: Vec<char> = secret.reveal().chars().collect();
    if characters.len() < 16 {
        return "•".repeat(8);
    }
    let head: String = characters[..4].iter().collect();
    let tail: String = characters[characters.len() - 4..].iter().collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(byte: u8) -> Cipher {
        Cipher::new(&EncryptionKey::new([byte; 32]))
    }

    #[test]
    fn round_trips_with_a_fresh_nonce_each_time() {
        let secret = Secret::new("sk-proj-ümlaut");
        let (first, second) = (cipher(1).encrypt(&secret), cipher(1).encrypt(&secret));
        assert_ne!(first, second);
        assert_eq!(
            first.split(':').map(|part| BASE64.decode(part).unwrap().len()).take(2).collect::<Vec<_>>(),
            [16, 16]
        );
        assert_eq!(cipher(1).decrypt(&first).unwrap(), secret);
    }

    #[test]
    fn refuses_damage_and_foreign_keys() {
        let stored = cipher(1).encrypt(&Secret::new("sk-123"));
        assert_eq!(cipher(2).decrypt(&stored), Err(DecryptError));
        for broken in ["", "a:b:c", "plain text", &stored[1..], &format!("{stored}:AAAA"), &stored.replace(':', ";")] {
            assert_eq!(cipher(1).decrypt(broken), Err(DecryptError), "{broken}");
        }
    }

    #[test]
    fn reads_what_any_of_its_keys_wrote_and_writes_with_the_first() {
        let [new, old] = [2, 1].map(|byte| EncryptionKey::new([byte; 32]));
        let both = Cipher::with_keys(&KeyRing::new(new, vec![old]));
        let secret = Secret::new("sk-123");
        assert_eq!(both.find_key(&cipher(1).encrypt(&secret)), Ok((1, secret.clone())));
        let fresh = both.encrypt(&secret);
        assert_eq!(both.find_key(&fresh), Ok((0, secret.clone())));
        assert_eq!((cipher(2).decrypt(&fresh), cipher(1).decrypt(&fresh)), (Ok(secret), Err(DecryptError)));
        assert_eq!(both.decrypt(&cipher(3).encrypt(&Secret::new("x"))), Err(DecryptError));

        let ids: Vec<String> = both.key_ids().map(str::to_owned).collect();
        assert_eq!(ids, [cipher(2).key_ids().next().unwrap(), cipher(1).key_ids().next().unwrap()]);
        assert!(ids[0] != ids[1] && ids[0].len() == 8);
    }

    #[test]
    fn masks_all_but_the_ends() {
        assert_eq!(mask(&Secret::new("sk-1234567890abcdef")), "sk-1…cdef");
        assert_eq!(mask(&Secret::new("placeholder")), "••••••••");
    }
}
