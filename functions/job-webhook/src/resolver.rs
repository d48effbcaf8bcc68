//! From a name to addresses that webhooks may go to.
//!
//! The HTTP client asks here and connects to what it gets, so nothing can change between check and connection: a name
//! that leads elsewhere a moment later (rebinding) leads nobody there.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use shared_core::webhooks::TargetError;

/// Finds the addresses of a name.
pub(crate) trait Lookup: Send + Sync {
    /// All of them, whatever they are.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system.
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Whether a connection may go to an address.
pub(crate) type AddressRule = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Gives the client only addresses that the rule allows.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    rule: AddressRule,
}

impl GuardedResolver {
    pub(crate) fn new(lookup: Arc<dyn Lookup>, rule: AddressRule) -> Self {
        Self { lookup, rule }
    }
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardedResolver(…)")
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (looking, rule) = (self.lookup.lookup(name.as_str().to_owned()), Arc::clone(&self.rule));
        Box::pin(async move {
            let found = looking.await?;
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            // Port 0 stands for the port of the URL.
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| rule(*address)).map(|address| (address, 0).into()).collect();
            if allowed.is_empty() {
                return Err(TargetError::Private.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
