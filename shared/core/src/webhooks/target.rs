//! Where webhooks may go (defect W-01): our own servers send them, so nobody may aim them at what only we can reach.
//!
//! Every port is allowed but 0, which is none. Receivers on odd ports are common, and a port by itself protects nothing:
//! only addresses of the public internet are reached, over TLS, whose first bytes no other protocol takes for a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What configuration allows beyond public addresses over https (`WEBHOOK_ALLOW_HTTP`, `WEBHOOK_ALLOW_PRIVATE_TARGETS`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    /// Whether http:// is allowed beside https://.
    pub allows_http: bool,
    /// Whether private, loopback and other addresses of our own are allowed: for receivers in one's own network and for
    /// development.
    pub allows_private: bool,
}

/// Why a URL is no place for a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No absolute URL, or one without a host or with port 0.
    #[error("must be an absolute URL, such as https://example.com/hook")]
    NotUrl,
    /// Another scheme, where only https is allowed.
    #[error("must start with https://")]
    NotHttps,
    /// Another scheme, where http is allowed too.
    #[error("must start with https:// or http://")]
    NotHttp,
    /// User name or password: they would stand in jobs for everybody to read.
    #[error("must not contain a user name or password")]
    Credentials,
    /// A machine of our own, or one beside ours.
    #[error("must not lead to a private, loopback, link-local or otherwise reserved address")]
    Private,
}

impl TargetPolicy {
    /// Reads a URL that webhooks may be sent to, as far as that can be told without resolving its name. Who sends holds
    /// every address that the name leads to against [`allows_address`](Self::allows_address).
    pub fn check(self, url: &str) -> Result<Url, TargetError> {
        let url = Url::parse(url.trim()).map_err(|_| TargetError::NotUrl)?;
        match (url.scheme(), self.allows_http) {
            ("https", _) | ("http", true) => {}
            (_, true) => return Err(TargetError::NotHttp),
            (_, false) => return Err(TargetError::NotHttps),
        }
        let host = url.host().filter(|_| url.port() != Some(0)).ok_or(TargetError::NotUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let is_allowed = match host {
            Host::Ipv4(address) => self.allows_address(address.into()),
            Host::Ipv6(address) => self.allows_address(address.into()),
            Host::Domain(name) => self.allows_private || !is_local_name(name),
        };
        if is_allowed { Ok(url) } else { Err(TargetError::Private) }
    }

    /// Whether a connection may go to this address.
    pub fn allows_address(self, address: IpAddr) -> bool {
        self.allows_private || is_public(address)
    }
}

/// Names that always mean this machine or its neighbours. One without a dot is completed by the resolver of the machine.
fn is_local_name(name: &str) -> bool {
    const OURS: [&str; 7] = ["localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa"];
    let name = name.trim_end_matches('.');
    let is_below = |zone: &str| name.strip_suffix(zone).is_some_and(|front| front.ends_with('.'));
    !name.contains('.') || ends_in_number(name) || OURS.into_iter().any(|zone| name == zone || is_below(zone))
}

/// No name of the internet does. With dots too many behind it, an address is a name for the URL parser, and perhaps still an
/// address for a resolver.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_hex = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    last.bytes().all(|digit| digit.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(is_hex)
}

/// Whether the public internet leads to an address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => embedded_v4(address).map_or_else(|| is_public_v6(address), is_public_v4),
    }
}

/// The special-purpose registry of IANA (RFC 6890 and its successors), and what clouds use out of the public range.
fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224.., ..] // this network, private, loopback, multicast and reserved up to broadcast
            | [100, 64..=127, ..] // shared by carriers (CGNAT); metadata of Alibaba Cloud
            | [169, 254, ..] // link-local; metadata of most clouds
            | [172, 16..=31, ..]
            | [192, 168, ..] // private
            | [192, 0, 0 | 2, _] // protocol assignments, metadata of Oracle Cloud; documentation
            | [192, 88, 99, _] // relays from IPv6
            | [198, 18 | 19, ..] // measurements
            | [198, 51, 100, _]
            | [203, 0, 113, _] // documentation
            | [168, 63, 129, 16] // services of the host on Azure
    )
}

/// Only 2000::/3 is given out for the internet; what is special inside it is excluded too.
fn is_public_v6(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x2000..=0x3fff, ..])
        && !matches!(
            address.segments(),
            [0x2001, ..=0x01ff, ..] // protocol assignments, Teredo among them
            | [0x2001, 0x0db8, ..] // documentation
            | [0x2002, ..] // 6to4: an IPv4 address in disguise, and long out of use
            | [0x3fff, ..=0x0fff, ..] // documentation
        )
}

/// The IPv4 address that a connection to an IPv6 address ends at: mapped (::ffff:0:0/96) or translated by the network
/// (64:ff9b::/96, which resolvers of networks without IPv4 give for every name).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: TargetPolicy = TargetPolicy { allows_http: false, allows_private: false };
    const HTTP: TargetPolicy = TargetPolicy { allows_http: true, allows_private: false };
    const OPEN: TargetPolicy = TargetPolicy { allows_http: true, allows_private: true };

    #[test]
    fn public_addresses_and_names_are_allowed_on_every_port() {
        for good in [
            "https://example.com/hook?x=1",
            " https://example.com ",
            "HTTPS://EXAMPLE.COM./",
            "https://example.com:1",
            "https://example.com:22/",
            "https://example.com:65535",
            "https://@example.com/",
            "https://bücher.example",
            "https://localhost.example.com",
            "https://notlocal.example",
            "https://xinternal.com",
            "https://93.184.216.34/",
            "https://172.15.0.1",
            "https://172.32.0.1",
            "https://100.63.0.1",
            "https://100.128.0.1",
            "https://192.0.1.1",
            "https://198.17.0.1",
            "https://223.255.255.255",
            "https://168.63.129.17",
            "https://[2606:2800::1]/",
            "https://[2001:4860:4860::8888]",
            "https://[::ffff:93.184.216.34]",
            "https://[64:ff9b::5db8:d822]",
        ] {
            assert!(STRICT.check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_whatever_is_allowed() {
        for bad in [
            "",
            "  ",
            "example.com",
            "/hook",
            "//example.com",
            "https://",
            "https:///",
            "https://:443",
            "https://exa mple.com",
            "https://example.com:0",
            "https://example.com:65536",
            "https://example.com:port",
            "https://1.2.3.4.5",
            "https://256.1.1.1",
            "https://0x100000000",
            "https://[::1",
            "https://[fe80::1%25eth0]/",
            "https://[fe80::1%eth0]/",
            "https://[1.2.3.4]",
            "https://a%00b.com",
            "https://xn--.com",
        ] {
            assert_eq!(OPEN.check(bad).err(), Some(TargetError::NotUrl), "{bad}");
        }
    }

    #[test]
    fn other_schemes_are_refused_and_http_unless_it_is_allowed() {
        for foreign in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "mailto:a@b.co",
            "ftp://example.com",
            "data:,x",
            "gopher://127.0.0.1:25/x",
            "ws://example.com",
            "httpss://example.com",
            "blob:https://example.com/x",
        ] {
            assert_eq!(OPEN.check(foreign), Err(TargetError::NotHttp), "{foreign}");
            assert_eq!(STRICT.check(foreign), Err(TargetError::NotHttps), "{foreign}");
        }
        assert_eq!(STRICT.check("http://example.com"), Err(TargetError::NotHttps));
        assert!(HTTP.check("http://example.com").is_ok());
    }

    #[test]
    fn credentials_are_refused_whatever_is_allowed() {
        for url in [
            "https://user:secret@example.com",
            "https://user@example.com",
            "https://:secret@example.com",
            "https://example.com@127.0.0.1/",
            "https://example.com%40127.0.0.1:80@example.org",
        ] {
            assert_eq!(OPEN.check(url), Err(TargetError::Credentials), "{url}");
        }
    }

    #[test]
    fn addresses_of_our_own_are_refused_unless_they_are_allowed() {
        for ours in [
            // Names.
            "localhost",
            "LOCALHOST.",
            "localhost..",
            "app.localhost",
            "LocalHost.LocalDomain",
            "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
            "printer.local",
            "router.lan",
            "nas.home.arpa",
            "db.intranet",
            "redis",
            "redis.",
            "kubernetes",
            "metadata",
            "instance-data",
            "metadata.google.internal",
            "metadata.google.internal.",
            "instance-data.ec2.internal",
            // Loopback, in every way to write it.
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.255.255.254",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0x7F.0x0.0x0.0x1",
            "017700000001",
            "0177.0.0.01",
            "127.0.0.0x1",
            "127.0.0.1..",
            "127.1..",
            "0x7f.0x1..",
            "127.0.0.1%2e.",
            "①②⑦.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[::ffff:0:127.0.0.1]",
            // Unspecified.
            "0",
            "0.0.0.0",
            "0.1.2.3",
            "[::]",
            "[::ffff:0.0.0.0]",
            // Private and shared.
            "10.1.2.3",
            "012.1.2.3",
            "167772161",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "3232235777",
            "100.64.0.1",
            "100.127.255.255",
            "[fc00::1]",
            "[fd00::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:c0a8:101]",
            // Link-local and metadata.
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.170.2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "[fe80::1]",
            "[fec0::1]",
            "[fd00:ec2::254]",
            "[::ffff:a9fe:a9fe]",
            // Translated and tunnelled.
            "[64:ff9b::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[2002:a9fe:a9fe::1]",
            "[2002:5db8:d822::1]",
            "[2001:0:a9fe:a9fe::1]",
            "[2001::1]",
            "[2001:10::1]",
            "192.88.99.1",
            // Documentation, measurements, multicast, reserved.
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "198.18.0.1",
            "198.19.255.255",
            "[2001:db8::1]",
            "[3fff::1]",
            "[2001:2::1]",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "[ff02::1]",
            "[ff0e::1]",
            "[100::1]",
            "[4000::1]",
        ] {
            for url in [format!("https://{ours}"), format!("https://{ours}:8443/latest/meta-data?x=1#y")] {
                assert_eq!(STRICT.check(&url), Err(TargetError::Private), "{url}");
                assert_eq!(HTTP.check(&url), Err(TargetError::Private), "{url}");
                assert!(OPEN.check(&url).is_ok(), "{url}");
            }
        }
    }
}
