//! Where a request comes from.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, request::Parts},
};
use lambda_http::request::RequestContext;

/// The caller's network address; empty when nobody knows.
#[derive(Debug, Clone)]
pub struct SourceAddress(pub String);

impl<S: Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

/// The address that API Gateway saw. Behind proxies of one's own it is theirs; then the one that the outermost of them saw,
/// which stands in `X-Forwarded-For` before the addresses of the others. Anything further left was written by the caller.
pub(crate) fn client_address(extensions: &Extensions, headers: &HeaderMap, trusted_proxies: usize) -> String {
    let seen = match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    // API Gateway adds the address that it saw itself as the last one.
    let client = match trusted_proxies {
        0 => None,
        proxies => hops.len().checked_sub(proxies + 1).and_then(|position| hops.get(position)),
    };
    client.filter(|text| text.parse::<IpAddr>().is_ok()).map_or(seen, |text| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;

    use super::*;

    fn address(forwarded: &[&str], trusted_proxies: usize) -> String {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.source_ip = Some("203.0.113.9".into());
        extensions.insert(RequestContext::ApiGatewayV2(context));
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client_address(&extensions, &headers, trusted_proxies)
    }

    #[test]
    fn a_caller_cannot_write_its_own_address() {
        let forged = ["198.51.100.1, 203.0.113.9"];
        assert_eq!(address(&forged, 0), "203.0.113.9");
        assert_eq!(address(&[], 0), "203.0.113.9");
        assert_eq!(address(&["198.51.100.1, 192.0.2.5, 203.0.113.9"], 1), "192.0.2.5", "what the proxy saw");
        assert_eq!(address(&["198.51.100.1", "2001:db8::1, 203.0.113.9"], 1), "2001:db8::1");
    }

    #[test]
    fn without_what_a_proxy_would_write_the_gateway_decides() {
        for forwarded in [&[][..], &["203.0.113.9"], &["unknown, 203.0.113.9"], &[", 203.0.113.9"]] {
            assert_eq!(address(forwarded, 1), "203.0.113.9", "{forwarded:?}");
        }
        assert_eq!(client_address(&Extensions::new(), &HeaderMap::new(), 0), "");
    }
}
