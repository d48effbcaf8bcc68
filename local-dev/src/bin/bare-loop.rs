//! The least that a Lambda function can do: hand-written HTTP/1.1 over one connection, and always the same answer. What this
//! takes is what the protocol takes. For `cargo dev bench runtime`.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
};

fn main() -> io::Result<()> {
    let host = variable("AWS_LAMBDA_RUNTIME_API")?;
    let answer = variable("ANSWER")?;
    let mut sender = TcpStream::connect(&host)?;
    sender.set_nodelay(true)?;
    let mut receiver = BufReader::new(sender.try_clone()?);
    let (mut request, mut body) = (String::new(), Vec::new());
    loop {
        request.clear();
        request += "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: ";
        request += &host;
        request += "\r\n\r\n";
        sender.write_all(request.as_bytes())?;
        let id = read(&mut receiver, &mut body)?;
        request.clear();
        request += "POST /2018-06-01/runtime/invocation/";
        request += &id;
        request += "/response HTTP/1.1\r\nHost: ";
        request += &host;
        request += &format!("\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", answer.len());
        request += &answer;
        sender.write_all(request.as_bytes())?;
        read(&mut receiver, &mut body)?;
    }
}

fn variable(name: &str) -> io::Result<String> {
    let value = env::var_os(name).and_then(|value| value.into_string().ok());
    value.ok_or_else(|| io::Error::other(format!("{name} is missing")))
}

/// Reads an answer to its end; gives the id of the call, if it is one.
fn read(receiver: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<String> {
    let (mut line, mut length, mut id) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if receiver.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            // The first line has no colon, nor has the one before the body.
            if line == "\r\n" { break } else { continue }
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        } else if name.eq_ignore_ascii_case("lambda-runtime-aws-request-id") {
            value.trim().clone_into(&mut id);
        }
    }
    body.resize(length, 0);
    receiver.read_exact(body)?;
    Ok(id)
}
