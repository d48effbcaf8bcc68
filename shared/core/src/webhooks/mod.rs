//! Webhooks (contract 19): where they may go, what they are signed with, and which destination a delivery means.
//!
//! Nothing here sends anything; the function `job-webhook` does. Settings and test deliveries ask [`TargetPolicy`] too, so
//! that a forbidden address is refused when somebody types it and again, after its name was resolved, when it is used.

mod destination;
mod signature;
mod target;

pub use destination::{Destination, DestinationError, Recipient, find_destination};
pub(crate) use signature::SECRET_PREFIX;
pub use signature::{SigningKeys, signature_headers};
pub use target::{TargetError, TargetPolicy};
