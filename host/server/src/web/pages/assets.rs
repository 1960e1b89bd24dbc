//! Style and scripts, embedded in the binary. Their URLs change with the content, so browsers may
//! cache them.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

const FILES: [(&str, &str, &str); 5] = [
    ("jackfield.css", "text/css; charset=utf-8", include_str!("../../../assets/jackfield.css")),
    ("jackfield.svg", "image/svg+xml", include_str!("../../../assets/jackfield.svg")),
    ("copy.js", "text/javascript; charset=utf-8", include_str!("../../../assets/copy.js")),
    ("connect-page.js", "text/javascript; charset=utf-8", include_str!("../../../assets/connect-page.js")),
    ("integrations.js", "text/javascript; charset=utf-8", include_str!("../../../assets/integrations.js")),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = FILES.iter().fold(Sha256::new(), |hash, (_, _, content)| hash.chain_update(content));
    all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// URL of an embedded file.
pub(in crate::web) fn url(file: &str) -> String {
    format!("/static/{}/{file}", *VERSION)
}

/// `GET /static/{version}/{file}`: from the pages' `link` and `script` elements.
pub(in crate::web) async fn serve(Path((version, file)): Path<(String, String)>) -> Response {
    let found = FILES.iter().find(|(name, ..)| *name == file).filter(|_| version == *VERSION);
    match found {
        Some((_, content_type, content)) => {
            let kept = "public, max-age=31536000, immutable";
            ([(header::CONTENT_TYPE, *content_type), (header::CACHE_CONTROL, kept)], *content).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
