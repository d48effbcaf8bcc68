//! Serves a built single-page application beside the API.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use axum::{
    body::Body,
    http::{HeaderValue, Method, Response, StatusCode, header},
};
use percent_encoding::percent_decode_str;

/// What the application's pages need: their own scripts, inline styles, images and documents from
/// `data:` URLs (PDF viewer), and `blob:` links for downloads.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; frame-src 'self' data: blob:; connect-src 'self'; \
    object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";

/// Hashed names never change their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// A directory with an `index.html` and its assets.
#[derive(Debug, Clone)]
pub struct Ui {
    root: PathBuf,
}

/// What a path of the application means.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A file below the root.
    File(PathBuf),
    /// A page of the application, which finds its way from its own URL.
    Page,
    /// Neither.
    Nothing,
}

impl Ui {
    /// Serves the application in `dir`.
    pub fn open(dir: &Path) -> Result<Self> {
        let Ok(root) = dir.canonicalize() else { bail!("There is no directory {}.", dir.display()) };
        if !root.join("index.html").is_file() {
            bail!("{} holds no built application: index.html is missing.", dir.display());
        }
        Ok(Self { root })
    }

    /// Answers a request for a path outside the API.
    pub async fn respond(&self, method: &Method, raw_path: &str) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED);
        }
        let (file, cache) = match self.target(raw_path) {
            Target::File(file) if raw_path.starts_with("/assets/") => (file, FOR_EVER),
            Target::File(file) => (file, ASK_AGAIN),
            Target::Page => (self.root.join("index.html"), ASK_AGAIN),
            Target::Nothing => return plain(StatusCode::NOT_FOUND),
        };
        let Ok(content) = tokio::fs::read(&file).await else {
            return plain(StatusCode::NOT_FOUND);
        };
        let mut response = Response::new(Body::from(content));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&file)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
        response
    }

    fn target(&self, raw_path: &str) -> Target {
        let Ok(path) = percent_decode_str(raw_path).decode_utf8() else { return Target::Nothing };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let leaves_the_root = |segment: &&str| matches!(*segment, "." | "..") || segment.contains(['\\', '\0']);
        if segments.iter().any(leaves_the_root) {
            return Target::Nothing;
        }
        let file: PathBuf = segments.iter().collect();
        // Canonical, so that a symbolic link leads nowhere else either.
        if let Ok(file) = self.root.join(file).canonicalize()
            && file.starts_with(&self.root)
            && file.is_file()
        {
            return Target::File(file);
        }
        let looks_like_a_file = segments.last().is_some_and(|last| last.contains('.'));
        let is_asset = segments.first().is_some_and(|first| *first == "assets");
        if looks_like_a_file || is_asset { Target::Nothing } else { Target::Page }
    }
}

/// The types that a built application consists of; a crate that knows hundreds is not worth it.
fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let text = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn application() -> (tempfile::TempDir, Ui) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("dist");
        fs::create_dir_all(root.join("assets")).unwrap();
        fs::write(root.join("index.html"), "<html>").unwrap();
        fs::write(root.join("logo.png"), "png").unwrap();
        fs::write(root.join("assets/app-1a2b.js"), "js").unwrap();
        fs::write(dir.path().join("secret.txt"), "secret").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret.txt"), root.join("link.txt")).unwrap();
        let ui = Ui::open(&root).unwrap();
        (dir, ui)
    }

    #[test]
    fn pages_fall_back_and_files_do_not() {
        let (_dir, ui) = application();
        for path in ["/", "/auth", "/auth/invitation/0a1b", "/test-data/7/", "/playground", "/some.where/deep"] {
            assert_eq!(ui.target(path), Target::Page, "{path}");
        }
        for path in ["/logo.png", "/assets/app-1a2b.js", "/index.html"] {
            assert!(matches!(ui.target(path), Target::File(_)), "{path}");
        }
        for path in ["/favicon.ico", "/assets/old-9.js", "/assets/", "/assets/x"] {
            assert_eq!(ui.target(path), Target::Nothing, "{path}");
        }
    }

    #[test]
    fn nothing_outside_is_served() {
        let (_dir, ui) = application();
        for path in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/assets/..%2f../secret.txt",
            "/assets/..%5csecret.txt",
            "/link.txt",
            "/%00",
            "/%ff",
        ] {
            assert_eq!(ui.target(path), Target::Nothing, "{path}");
        }
    }

    #[tokio::test]
    async fn pages_and_assets_are_cached_differently() {
        let (_dir, ui) = application();
        let page = ui.respond(&Method::GET, "/prompts").await;
        assert_eq!(page.headers()["cache-control"], ASK_AGAIN);
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-src 'self' data:"));
        let asset = ui.respond(&Method::GET, "/assets/app-1a2b.js").await;
        assert_eq!(asset.headers()["cache-control"], FOR_EVER);
        assert_eq!(ui.respond(&Method::POST, "/prompts").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
