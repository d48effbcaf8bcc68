//! Events of API Gateway that `lambda_http` cannot read: some clients send query strings with characters that have no
//! place in a URI, and the gateway hands them on as they came.

use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What may not stand in a query string as it is. A percent sign stays one: it begins what is escaped already.
const NOT_IN_QUERIES: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The event with a query string that means the same and can be read.
pub fn readable(mut event: LambdaRequest) -> LambdaRequest {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event
        && let Some(query) = &mut request.raw_query_string
    {
        *query = utf8_percent_encode(query, NOT_IN_QUERIES).to_string();
    }
    event
}

#[cfg(test)]
mod tests {
    use lambda_http::Request;
    use serde_json::json;

    use super::*;

    #[test]
    fn odd_characters_in_a_query_string_are_escaped() {
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/api/health", "headers": {"host": "a.example"},
            "rawQueryString": "a=\"<ü {|}\\^`#%22&b=%zz",
            "requestContext": {
                "http": {"method": "GET", "path": "/api/health", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
                "stage": "$default", "timeEpoch": 0
            },
            "isBase64Encoded": false
        });
        let request = Request::from(readable(serde_json::from_value(event).unwrap()));
        assert_eq!(request.uri().query(), Some("a=%22%3C%C3%BC%20%7B%7C%7D%5C%5E%60%23%22&b=%zz"));
    }
}
