//! What must not come back into the build, because every function would carry it.

use std::fs;

use crate::build::workspace_root;

/// Each with what does its work. See `docs/decisions/0006-one-tls-stack-and-a-small-client-for-libsql.md`.
const UNWANTED: [(&str, &str); 9] = [
    ("aws-lc-rs", "rustls with `ring`; see shared_core::outbound"),
    ("aws-lc-sys", "rustls with `ring`; see shared_core::outbound"),
    ("aws-smithy-http-client", "local_dev::aws_transport"),
    ("h2", "HTTP/1.1, which every vendor speaks"),
    ("rsa", "HMAC-SHA-256 for jsonwebtoken; see shared_http's hs256"),
    ("native-tls", "rustls with `ring`; see shared_core::outbound"),
    ("openssl-sys", "rustls with `ring`; see shared_core::outbound"),
    ("turso_serverless", "shared_core::Db"),
    ("webpki-roots", "the certificates of the machine; see shared_core::outbound"),
];

#[test]
fn one_tls_stack_and_no_second_http_client() {
    let lock = fs::read_to_string(workspace_root().unwrap().join("Cargo.lock")).unwrap();
    let packages: Vec<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(packages.contains(&"ring") && packages.contains(&"rustls"), "the lock file is read as it is written");
    for (unwanted, instead) in UNWANTED {
        assert!(
            !packages.contains(&unwanted),
            "{unwanted} is in the build again: `cargo tree --workspace -i {unwanted}` says who brings it. Instead: {instead}."
        );
    }
}
