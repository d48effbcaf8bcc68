//! Who is on the other side of a session.

use shared_core::{ProviderName, settings::ServiceName};

use crate::{
    error::vendor_name,
    failure::rules::{self, Rules},
};

/// A vendor of language models or of another service, by the name that error texts show.
pub(crate) trait Vendor: Copy {
    /// The name as people write it.
    fn shown_name(self) -> &'static str;

    /// What its error answers mean beyond their status.
    fn error_rules(self) -> Rules;
}

impl Vendor for ProviderName {
    fn shown_name(self) -> &'static str {
        vendor_name(self)
    }

    fn error_rules(self) -> Rules {
        rules::of_provider(self)
    }
}

impl Vendor for ServiceName {
    fn shown_name(self) -> &'static str {
        match self {
            Self::VoyageAi => "Voyage AI",
        }
    }

    fn error_rules(self) -> Rules {
        match self {
            Self::VoyageAi => rules::VOYAGEAI,
        }
    }
}
