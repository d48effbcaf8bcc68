//! HTTP/1.1 by hand, one exchange per connection: a server that can see whether its client is still there, that breaks
//! off in the middle of an answer, and that hangs up without one.

use std::{collections::BTreeMap, future::Future, io::ErrorKind, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Far above what a request of ours takes to arrive.
const READ_LIMIT: Duration = Duration::from_secs(10);
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// By name in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// One request and the connection that waits for its answer. Dropping it hangs up.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) request: Request,
    stream: TcpStream,
    probe: Probe,
}

/// Tells at any time whether the client of an exchange is still there.
#[derive(Debug)]
pub(super) struct Probe(std::net::TcpStream);

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(super) async fn start<F>(handle: impl Fn(Exchange) -> F + Send + Sync + Clone + 'static) -> Result<Self>
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            loop {
                // Without a free descriptor the next try comes a little later.
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let handle = handle.clone();
                tokio::spawn(async move {
                    // A client that was killed while it was sending has said nothing.
                    if let Ok(Ok(exchange)) = tokio::time::timeout(READ_LIMIT, Exchange::read(stream)).await {
                        handle(exchange).await;
                    }
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Its address, without a trailing slash.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Exchange {
    async fn read(stream: TcpStream) -> Result<Self> {
        let stream = stream.into_std()?;
        let probe = Probe(stream.try_clone()?);
        let mut stream = TcpStream::from_std(stream)?;
        let mut bytes = vec![];
        let (mut request, head) = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break (Request::parse(&bytes[..end])?, end + 4);
            }
            more(&mut stream, &mut bytes).await?;
        };
        let length = match request.header("content-length") {
            Some(length) => length.parse::<usize>().context("an odd length")?,
            None if request.header("transfer-encoding").is_some() => bail!("bodies in chunks are not understood"),
            None => 0,
        };
        while bytes.len() < head + length {
            more(&mut stream, &mut bytes).await?;
        }
        request.body = bytes[head..head + length].to_vec();
        Ok(Self { request, stream, probe })
    }

    /// A second handle that only looks.
    pub(super) fn probe(&self) -> Result<Probe> {
        Ok(Probe(self.probe.0.try_clone()?))
    }

    /// Returns when the client has gone away.
    pub(super) async fn until_left(&self) {
        let seen = self.stream.peek(&mut [0]).await;
        if matches!(seen, Ok(1..)) {
            // More than was announced: no client of ours does that.
            std::future::pending::<()>().await;
        }
    }

    /// Answers with a body of JSON, or what should be JSON.
    pub(super) async fn answer(self, status: u16, headers: &[(&str, &str)], body: &str) {
        self.send(status, headers, body.len(), body).await;
    }

    /// Promises the whole body, sends half of it and hangs up.
    pub(super) async fn break_off(self, body: &str) {
        let half = &body[..body.floor_char_boundary(body.len() / 2)];
        self.send(200, &[], body.len(), half).await;
    }

    async fn send(mut self, status: u16, headers: &[(&str, &str)], length: usize, body: &str) {
        let mut answer = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-length: {length}\r\n");
        answer.push_str("content-type: application/json\r\n");
        for (name, value) in headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        answer.push_str(body);
        // A client that has gone meanwhile reads nothing.
        let _ = self.stream.write_all(answer.as_bytes()).await;
        let _ = self.stream.shutdown().await;
    }
}

impl Probe {
    /// Whether the client has neither hung up nor died.
    pub(super) fn is_open(&self) -> bool {
        match self.0.peek(&mut [0]) {
            Ok(read) => read > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

impl Request {
    fn parse(head: &[u8]) -> Result<Self> {
        let head = std::str::from_utf8(head).context("an odd head")?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(path)) = (first.next(), first.next()) else { bail!("no request line") };
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self { method: method.to_owned(), path: path.to_owned(), headers: headers.collect(), body: vec![] })
    }

    /// The value of a header; `name` in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let read = stream.read_buf(bytes).await?;
    if read == 0 || bytes.len() > MAX_REQUEST_BYTES {
        bail!("the request broke off or is too long");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    async fn server() -> Server {
        let answer = async |exchange: Exchange| match exchange.request.path.as_str() {
            "/half" => exchange.break_off("{\"a\": 1}").await,
            "/close" => drop(exchange),
            _ => {
                let body = String::from_utf8(exchange.request.body.clone()).unwrap();
                exchange.answer(429, &[("retry-after", "1")], &body).await;
            }
        };
        Server::start(answer_with(answer)).await.unwrap()
    }

    /// A handler in the shape that the server takes.
    fn answer_with<F: Future<Output = ()> + Send>(
        answer: impl Fn(Exchange) -> F + Clone,
    ) -> impl Fn(Exchange) -> F + Clone {
        answer
    }

    fn client() -> reqwest::Client {
        shared_core::outbound::client(|builder| builder.no_proxy()).unwrap()
    }

    #[tokio::test]
    async fn answers_with_status_headers_and_body() {
        let server = server().await;
        let body = "x".repeat(100_000);
        for _ in 0..3 {
            let answer = client().post(format!("{}/any", server.url())).body(body.clone()).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
            assert_eq!(answer.text().await.unwrap(), body);
        }
    }

    #[tokio::test]
    async fn breaks_off_and_hangs_up() {
        let server = server().await;
        let answer = client().get(format!("{}/half", server.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err());
        assert!(client().get(format!("{}/close", server.url())).send().await.is_err());
    }

    #[tokio::test]
    async fn sees_at_once_that_a_client_has_gone() {
        let seen = Arc::new(Mutex::new(None));
        let seat = seen.clone();
        let handle = move |exchange: Exchange| {
            let seat = seat.clone();
            async move {
                let probe = exchange.probe().unwrap();
                assert!(probe.is_open());
                exchange.until_left().await;
                *seat.lock().unwrap() = Some(probe.is_open());
            }
        };
        let server = Server::start(handle).await.unwrap();
        let waiting = tokio::spawn(client().get(server.url()).send());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(*seen.lock().unwrap(), None);
        waiting.abort();
        while seen.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(*seen.lock().unwrap(), Some(false));
    }
}
