//! Takes the content coding off a whole answer (RFC 9110 section 8.4).
//!
//! The host asks for none, and section 12.5.3 allows a server to use any then. Servers behind a
//! network of caches do. The limit of an answer's size holds for what comes out.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, Response, header};
use ruzstd::decoding::StreamingDecoder;

use super::OutboundError;

/// Bytes that the decoder of Brotli reads at once.
const BUFFER: usize = 4096;
/// Most codings of one answer: each can make a thousand bytes of one.
const MOST_CODINGS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// RFC 9110 section 8.4.1, RFC 7932, RFC 8878.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Whether a body can be in this coding. One that was decoded on the way often keeps the
    /// header.
    fn can_be_of(self, body: &[u8]) -> bool {
        match self {
            Self::Gzip => body.starts_with(&[0x1f, 0x8b]),
            Self::Zstd => body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
            // Neither has a mark. JSON and forms are in neither.
            Self::Deflate | Self::Brotli => !body.is_empty() && !body.starts_with(b"{") && !body.starts_with(b"["),
        }
    }

    /// The body without it, up to one byte more than the limit.
    fn take_off(self, body: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let reader: Box<dyn Read + '_> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(body)),
            // What the RFC means by it has a head; what some servers send has none.
            Self::Deflate if is_zlib(body) => Box::new(ZlibDecoder::new(body)),
            Self::Deflate => Box::new(DeflateDecoder::new(body)),
            Self::Brotli => Box::new(Decompressor::new(body, BUFFER)),
            Self::Zstd => Box::new(StreamingDecoder::new(body).map_err(io::Error::other)?),
        };
        let mut decoded = Vec::new();
        reader.take(limit as u64 + 1).read_to_end(&mut decoded)?;
        Ok(decoded)
    }
}

/// RFC 1950 section 2.2.
const fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if *method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

/// The answer without its content codings. A coding that is not known, such as a charset that
/// stands in the wrong place, changes nothing.
pub(super) fn decoded(mut response: Response<Vec<u8>>, limit: usize) -> Result<Response<Vec<u8>>, OutboundError> {
    let Some(codings) = codings(response.headers()) else { return Ok(response) };
    if codings.len() > MOST_CODINGS {
        return Err(OutboundError::Coding("in so many content codings that it is not read".to_owned()));
    }
    for coding in codings.into_iter().rev() {
        if !coding.can_be_of(response.body()) {
            continue;
        }
        let body = coding.take_off(response.body(), limit).map_err(|_| {
            OutboundError::Coding(format!("said to be in {}, and is not, or is cut off", coding.name()))
        })?;
        if body.len() > limit {
            return Err(OutboundError::TooLarge(limit));
        }
        *response.body_mut() = body;
    }
    response.headers_mut().remove(header::CONTENT_ENCODING);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(response)
}

/// The codings in the order in which they were applied; `None` if there are none, or one that is
/// not known.
fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim);
    let names = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
    let codings: Option<Vec<Coding>> = names.map(Coding::named).collect();
    codings.filter(|codings| !codings.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const TEXT: &[u8] = br#"{"access_token":"at"}"#;
    /// `TEXT` in Brotli and in Zstandard, by their own tools.
    const BROTLI: &[u8] = b"\x0b\x0a\x80{\"access_token\":\"at\"}\x03";
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x15\xa9\x00\x00{\"access_token\":\"at\"}";

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    }

    fn answer(coding: &str, body: impl Into<Vec<u8>>, limit: usize) -> Result<Response<Vec<u8>>, OutboundError> {
        let response = Response::builder().header("content-encoding", coding).header("content-length", "1");
        decoded(response.body(body.into()).expect("a response"), limit)
    }

    #[test]
    fn every_coding_is_taken_off() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).expect("memory");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(TEXT).expect("memory");
        let two_members = [gzip(&TEXT[..5]), gzip(&TEXT[5..])].concat();
        for (coding, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP", gzip(TEXT)),
            ("identity, gzip", gzip(TEXT)),
            ("gzip, gzip", gzip(&gzip(TEXT))),
            ("gzip", two_members),
            ("deflate", zlib.finish().expect("memory")),
            ("deflate", raw.finish().expect("memory")),
            ("br", BROTLI.to_vec()),
            ("zstd", ZSTD.to_vec()),
            // It was taken off on the way, or was never there.
            ("gzip", TEXT.to_vec()),
            ("deflate", TEXT.to_vec()),
            ("br", TEXT.to_vec()),
        ] {
            let answer = answer(coding, body, 100).expect(coding);
            assert_eq!(answer.body(), TEXT, "{coding}");
            assert!(answer.headers().is_empty(), "{coding}: its length is another now");
        }
    }

    #[test]
    fn what_is_no_coding_that_is_known_changes_nothing() {
        for coding in ["utf-8", "identity", "", "compress", "gzip, aws-chunked"] {
            let answer = answer(coding, TEXT, 100).expect(coding);
            assert_eq!((answer.body().as_slice(), answer.headers().len()), (TEXT, 2), "{coding}");
        }
        assert_eq!(answer("gzip", "", 100).expect("an empty body has no coding").body(), b"");
    }

    #[test]
    fn a_bomb_is_refused_before_it_takes_memory() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        assert!(bomb.len() < 2000);
        assert!(matches!(answer("gzip", bomb.clone(), 10_000), Err(OutboundError::TooLarge(10_000))));
        assert!(matches!(answer("gzip, gzip", gzip(&bomb), 10_000), Err(OutboundError::TooLarge(10_000))));
        assert!(matches!(answer("gzip, gzip, gzip", bomb, 10_000), Err(OutboundError::Coding(_))));
    }

    #[test]
    fn a_cut_body_is_an_error_in_words() {
        let whole = gzip(TEXT);
        let error = answer("gzip", &whole[..whole.len() - 9], 100).expect_err("it is cut");
        assert_eq!(error.to_string(), "the answer's body is said to be in gzip, and is not, or is cut off");
    }
}
