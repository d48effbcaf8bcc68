//! Identifiers.

use uuid::{Uuid, Variant};

/// A fresh random id: a lower-case version 4 UUID (contract 1.4: tables show the first eight characters, so ids must
/// differ early).
pub fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// Whether `text` is an RFC 9562 UUID as the contract checks it: version 1 to 8 with the RFC variant, or nil, or max.
pub fn is_uuid(text: &str) -> bool {
    if text.len() != 36 {
        return false;
    }
    Uuid::parse_str(text).is_ok_and(|uuid| {
        uuid.is_nil()
            || uuid.is_max()
            || (matches!(uuid.get_version_num(), 1..=8) && uuid.get_variant() == Variant::RFC4122)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_uuid_when_it_sees_one() {
        assert!(is_uuid(&new_id()));
        assert!(is_uuid("0B9F8A52-6f0e-4c83-9a55-2f4c3f6f2a10"));
        assert!(is_uuid("00000000-0000-0000-0000-000000000000"));
        assert!(is_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"));
        assert!(!is_uuid("0b9f8a52-6f0e-9c83-9a55-2f4c3f6f2a10"), "version 9");
        assert!(!is_uuid("0b9f8a52-6f0e-4c83-1a55-2f4c3f6f2a10"), "foreign variant");
        assert!(!is_uuid("0b9f8a526f0e4c839a552f4c3f6f2a10"), "no hyphens");
        assert!(!is_uuid(""));
    }
}
