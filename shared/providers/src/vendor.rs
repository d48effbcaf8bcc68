//! Who is on the other side of a session.

use shared_core::{ProviderName, settings::ServiceName};

use crate::error::vendor_name;

/// A vendor of language models or of another service, by the name that error texts show.
pub(crate) trait Vendor: Copy {
    /// The name as people write it.
    fn shown_name(self) -> &'static str;
}

impl Vendor for ProviderName {
    fn shown_name(self) -> &'static str {
        vendor_name(self)
    }
}

impl Vendor for ServiceName {
    fn shown_name(self) -> &'static str {
        match self {
            Self::VoyageAi => "Voyage AI",
        }
    }
}
