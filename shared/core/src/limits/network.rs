//! Which addresses count as one caller.

use std::net::{IpAddr, Ipv6Addr};

/// The network that an address stands for. Whoever has one IPv6 address usually has the whole /64, so that counts as one;
/// an IPv4 address counts by itself, however it is written. What is no address is one caller, `unknown`.
pub fn network_of(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            format!("{}/64", Ipv6Addr::from_bits(prefix))
        }
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_caller_and_spelling_makes_no_other() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:DB8:0:0:ffff::2", "2001:db8::/64"),
            ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
            ("", "unknown"),
            ("203.0.113.7, 10.0.0.1", "unknown"),
            ("fe80::1%eth0", "unknown"),
        ] {
            assert_eq!(network_of(address), network, "{address}");
        }
    }
}
