//! The console's files, which are inside the binary. The build puts compressed siblings (`.br`, `.gz`) beside them.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cronfleet_wire::identity::hex;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The built console. Debug builds read it from the disk.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist/"]
struct Console;

const INDEX: &str = "index.html";

/// Shown when the binary was built without a console.
const NO_CONSOLE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Cronfleet</title>\
<h1>Cronfleet is running, without a console</h1>\
<p>This binary was built before its console. Build the console with <code>npm ci</code> and \
<code>npm run build</code> in <code>web/</code>, then build the binary again; or run <code>cargo xtask up</code>, \
which does both.</p><p>The REST interface is at <a href=\"/api/v1/openapi.json\">/api/v1</a>.</p></html>";

/// Answers everything that is not below `/api`: a file, or the console's page, whose own router reads the path.
pub(super) async fn console(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let is_file = !path.is_empty() && !path.starts_with('.') && Console::get(path).is_some();
    if is_file {
        return file(path, &headers);
    }
    // A file that is gone (a page of the version before asks for it) must not become a page.
    if path.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    if Console::get(INDEX).is_none() {
        return (
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            NO_CONSOLE,
        )
            .into_response();
    }
    file(INDEX, &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some((file, encoding)) = variant(path, headers) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == tag.as_str());
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        }
        .into_response()
    };
    // Names below assets/ hold a hash of the content.
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mime = mime_of(path);
    let set = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, Some(mime)),
        (header::CACHE_CONTROL, Some(caching)),
        (header::VARY, Some("Accept-Encoding")),
        (header::CONTENT_ENCODING, encoding),
        (header::ETAG, Some(tag.as_str())),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            set.insert(name, value);
        }
    }
    response
}

/// The smallest form of a file that the client takes.
fn variant(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    for (encoding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(headers, encoding)
            && let Some(file) = Console::get(&format!("{path}{suffix}"))
        {
            return Some((file, Some(encoding)));
        }
    }
    Console::get(path).map(|file| (file, None))
}

/// Whether `Accept-Encoding` names the encoding, and not with `q=0`.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING);
    accepted
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(Ok(1.0), str::parse::<f32>);
            is_named && weight.is_ok_and(|weight| weight > 0.0)
        })
}

/// The media type of a file of the console.
fn mime_of(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_chosen_by_what_the_client_takes() {
        let takes = |text: &'static str, encoding| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            accepts(&headers, encoding)
        };
        assert!(takes("gzip, deflate, br;q=0.5", "br"));
        assert!(takes("GZIP", "gzip"));
        assert!(!takes("gzip, br;q=0", "br"));
        assert!(!takes("zbr", "br"));
        assert!(!accepts(&HeaderMap::new(), "br"));
    }

    #[tokio::test]
    async fn paths_of_pages_answer_the_page_and_missing_files_do_not() {
        let get =
            |path: &'static str| console(Method::GET, Uri::from_static(path), HeaderMap::new());
        let page = get("/jobs/018f4b1e-0000-7000-8000-0000000000ff").await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(
            page.headers()[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        assert_eq!(
            get("/assets/gone-abc123.js").await.status(),
            StatusCode::NOT_FOUND
        );
        for path in [
            "/../Cargo.toml",
            "/..%2fCargo.toml",
            "/.gitkeep",
            "//etc/passwd",
        ] {
            let answer = get(path).await;
            assert!(
                answer.headers()[header::CONTENT_TYPE]
                    .to_str()
                    .unwrap()
                    .starts_with("text/html"),
                "{path} must be a path of the console, not a file"
            );
        }
        let posted = console(Method::POST, Uri::from_static("/"), HeaderMap::new()).await;
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
