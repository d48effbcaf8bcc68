//! Where webhooks may go (defect W-01): our own servers send them, so nobody may aim them at what only we can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why a URL is no place for a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Another scheme, or no URL at all.
    #[error("must start with https:// or http://")]
    NotHttp,
    /// User name or password: they would stand in jobs for everybody to read.
    #[error("must not contain a user name or password")]
    Credentials,
    /// A machine of our own, or one beside ours.
    #[error("must not lead to a private, loopback or link-local address")]
    Private,
}

/// Reads a URL that webhooks may be sent to. Names are not resolved here: who sends does that, and checks every address
/// with [`is_private`] again.
pub fn check_target(url: &str, allows_private: bool) -> Result<Url, TargetError> {
    let url = Url::parse(url.trim()).map_err(|_| TargetError::NotHttp)?;
    let host = url.host().filter(|_| matches!(url.scheme(), "https" | "http")).ok_or(TargetError::NotHttp)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Credentials);
    }
    let is_ours = match host {
        Host::Ipv4(address) => is_private(address.into()),
        Host::Ipv6(address) => is_private(address.into()),
        Host::Domain(name) => is_local_name(name),
    };
    if is_ours && !allows_private { Err(TargetError::Private) } else { Ok(url) }
}

/// Names that always mean this machine or its neighbours.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || [".localhost", ".local", ".internal"].iter().any(|ending| name.ends_with(ending))
}

/// Whether an address is one that the internet does not lead to.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => embedded_v4(address).map_or_else(|| is_private_v6(address), is_private_v4),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || first == 0
        || first >= 224
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && matches!(second, 18 | 19))
        || (first, second, third) == (192, 0, 0)
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out for the internet; of that, 2001:db8::/32 stands in books.
    first & 0xe000 != 0x2000 || (first, second) == (0x2001, 0x0db8)
}

/// The IPv4 address that an IPv6 address stands for: mapped, translated (64:ff9b::/96) or 6to4 (2002::/16).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_to_the_outside_is_allowed() {
        for good in [
            "https://example.com/hook?x=1",
            " http://example.com ",
            "https://93.184.216.34/",
            "https://[2606:2800::1]/",
        ] {
            assert!(check_target(good, false).is_ok(), "{good}");
        }
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "mailto:a@b.co",
            "ftp://example.com",
            "example.com",
            "data:,x",
        ] {
            assert_eq!(check_target(bad, true), Err(TargetError::NotHttp), "{bad}");
        }
        assert_eq!(check_target("https://user:secret@example.com", true), Err(TargetError::Credentials));
    }

    #[test]
    fn addresses_of_our_own_are_refused_unless_allowed() {
        for ours in [
            "http://localhost:8080",
            "http://LOCALHOST./",
            "http://app.localhost",
            "http://metadata.google.internal",
            "http://printer.local",
            "http://127.0.0.1",
            "http://2130706433",
            "http://0x7f.1",
            "http://0.0.0.0",
            "http://10.1.2.3",
            "http://172.16.0.1",
            "http://192.168.1.1",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1",
            "http://224.0.0.1",
            "http://255.255.255.255",
            "http://[::1]",
            "http://[::]",
            "http://[fe80::1]",
            "http://[fd00::1]",
            "http://[::ffff:127.0.0.1]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[2002:7f00:1::]",
        ] {
            assert_eq!(check_target(ours, false), Err(TargetError::Private), "{ours}");
            assert!(check_target(ours, true).is_ok(), "{ours}");
        }
    }
}
