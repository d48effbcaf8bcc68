//! Between the events of API Gateway and the router.
//!
//! `lambda_http` reads the events. It would also decode every text of an answer by its character set, for which it brings
//! tables of all there are; here an answer leaves byte for byte.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header::SET_COOKIE},
    response::Response,
};
use http_body_util::BodyExt;
use lambda_http::{
    Body as EventBody, Error, LambdaEvent, Request, RequestExt, Service,
    aws_lambda_events::apigw::ApiGatewayV2httpResponse, lambda_runtime, request::LambdaRequest, service_fn,
};

use crate::{event::readable, server::Edge};

/// Where Lambda's trace of a call stands for those who read headers.
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Answers events until the process ends.
pub(crate) async fn run(edge: Edge) -> Result<(), Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let mut edge = edge.clone();
        async move {
            let answer = edge.call(request(event)).await?;
            event_answer(answer).await
        }
    }))
    .await
}

fn request(event: LambdaEvent<LambdaRequest>) -> Request {
    let LambdaEvent { payload, context } = event;
    let mut request = Request::from(readable(payload));
    if let Some(trace) = context.xray_trace_id.as_deref().and_then(|trace| HeaderValue::from_str(trace).ok()) {
        request.headers_mut().insert(TRACE, trace);
    }
    request.with_lambda_context(context)
}

/// The answer as API Gateway takes it: what is no text travels as base64.
async fn event_answer(answer: Response<Body>) -> Result<ApiGatewayV2httpResponse, Error> {
    let (mut parts, body) = answer.into_parts();
    let bytes = Vec::from(body.collect().await?.to_bytes());
    let mut event = ApiGatewayV2httpResponse::default();
    event.status_code = i64::from(parts.status.as_u16());
    // Cookies have a place of their own.
    let cookies = parts.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    event.cookies = cookies.map(str::to_owned).collect();
    parts.headers.remove(SET_COOKIE);
    event.headers = parts.headers;
    event.body = match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => None,
        Ok(text) => Some(EventBody::Text(text)),
        Err(other) => Some(EventBody::Binary(other.into_bytes())),
    };
    event.is_base64_encoded = matches!(event.body, Some(EventBody::Binary(_)));
    Ok(event)
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, http::StatusCode, response::IntoResponse};
    use serde_json::{Value, json, to_value};

    use super::*;

    async fn event_of(answer: impl IntoResponse) -> Value {
        to_value(event_answer(answer.into_response()).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn texts_leave_as_they_are_and_bytes_as_base64() {
        let text = event_of((StatusCode::CREATED, [("content-type", "application/json")], "{\"ü\":1}")).await;
        assert_eq!((&text["statusCode"], &text["body"]), (&json!(201), &json!("{\"ü\":1}")));
        assert_eq!(
            (&text["isBase64Encoded"], &text["headers"]["content-type"]),
            (&json!(false), &json!("application/json"))
        );

        // Whatever their type claims.
        let latin = [("content-type", "text/plain; charset=iso-8859-1")];
        let bytes = event_of((latin, Bytes::from_static(&[0xef, 0xbb, 0xbf, b'a', 0xe4, 0xff]))).await;
        assert_eq!((&bytes["isBase64Encoded"], &bytes["body"]), (&json!(true), &json!("77u/YeT/")));
        let marked = event_of(Bytes::from_static(&[0xef, 0xbb, 0xbf, b'a'])).await;
        assert_eq!((&marked["isBase64Encoded"], &marked["body"]), (&json!(false), &json!("\u{feff}a")));

        let nothing = event_of(StatusCode::NO_CONTENT).await;
        assert_eq!((&nothing["statusCode"], &nothing["body"]), (&json!(204), &Value::Null));
    }

    #[tokio::test]
    async fn cookies_have_their_own_place() {
        let cookies = event_of([(SET_COOKIE, "a=1")]).await;
        assert_eq!((&cookies["cookies"], &cookies["headers"]["set-cookie"]), (&json!(["a=1"]), &Value::Null));
    }

    #[test]
    fn events_become_requests_with_their_trace() {
        let event = json!({
            "version": "2.0", "routeKey": "GET /a", "rawPath": "/a", "rawQueryString": "b=c%20d",
            "cookies": ["auth-token=x", "y=z"], "headers": {"host": "example.com"}, "isBase64Encoded": true, "body": "AP8=",
            "requestContext": {
                "http": {"method": "POST", "path": "/a", "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"}, "stage": "$default",
                "timeEpoch": 0,
            },
        });
        let mut context = lambda_http::Context::default();
        context.xray_trace_id = Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned());
        let payload: LambdaRequest = serde_json::from_value(event).unwrap();
        let request = request(LambdaEvent::new(payload, context));
        assert_eq!((request.method().as_str(), request.uri().query()), ("POST", Some("b=c%20d")));
        assert_eq!(request.headers()["cookie"], "auth-token=x; y=z");
        assert_eq!(request.headers()["x-amzn-trace-id"], "Root=1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(request.body().as_ref(), [0, 255]);
    }
}
