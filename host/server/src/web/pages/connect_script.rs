//! The script that pages of programs load, and its types. Its URL never changes, so browsers ask
//! anew every ten minutes.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// A file that any page may load.
struct SharedFile {
    content_type: &'static str,
    content: &'static str,
    /// Weak, since the answer may be compressed (RFC 9110 section 8.8.1).
    tag: String,
}

impl SharedFile {
    fn new(content_type: &'static str, content: &'static str) -> Self {
        let hash = Sha256::digest(content);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, content, tag: format!("W/\"{hash}\"") }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
        let is_known = known.split(',').any(|tag| tag.trim() == self.tag);
        let shared = [
            (header::CACHE_CONTROL, "public, max-age=600"),
            (header::ETAG, self.tag.as_str()),
            // A module is fetched with CORS; a page with `Cross-Origin-Embedder-Policy` needs the
            // second.
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, shared).into_response();
        }
        (shared, [(header::CONTENT_TYPE, self.content_type)], self.content).into_response()
    }
}

static SCRIPT: LazyLock<SharedFile> = LazyLock::new(|| {
    let script = include_str!("../../../../../packages/jackfield-connect/jackfield-connect.js");
    SharedFile::new("text/javascript; charset=utf-8", script)
});

static TYPES: LazyLock<SharedFile> = LazyLock::new(|| {
    let types = include_str!("../../../../../packages/jackfield-connect/jackfield-connect.d.ts");
    SharedFile::new("text/plain; charset=utf-8", types)
});

/// `GET /connect/jackfield-connect.js`: from `script` elements and imports of other origins.
pub(in crate::web) async fn script(headers: HeaderMap) -> Response {
    SCRIPT.answer(&headers)
}

/// `GET /connect/jackfield-connect.d.ts`: its types, for who copies it.
pub(in crate::web) async fn types(headers: HeaderMap) -> Response {
    TYPES.answer(&headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_the_file_does_not_get_it_again() {
        let file = SharedFile::new("text/plain", "x");
        let asks = |tags: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, tags.parse().expect("a value"))]);
            file.answer(&headers).status()
        };
        assert_eq!(file.answer(&HeaderMap::new()).status(), StatusCode::OK);
        assert_eq!(asks(&file.tag), StatusCode::NOT_MODIFIED);
        assert_eq!(asks(&format!("\"other\", {}", file.tag)), StatusCode::NOT_MODIFIED);
        assert_eq!(asks("\"other\""), StatusCode::OK);
    }
}
