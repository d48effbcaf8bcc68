//! Sends webhooks (contract 19): finds out where to and what with, sends, and says how it went.

mod resolver;
pub mod sender;

pub use sender::{Delivery, Outcome, Sender};
