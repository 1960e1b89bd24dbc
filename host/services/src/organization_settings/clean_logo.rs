//! Cleans a logo that somebody has uploaded: nothing of it runs, loads anything or says more than
//! it shows. A PNG is decoded and encoded anew, so that only its pixels remain; of an SVG only what
//! draws remains.

use sha2::{Digest, Sha256};

use jackfield_store::{hex, organization_settings::Logo};

/// Most bytes of a logo.
pub const MOST_BYTES: usize = 64 * 1024;

/// Most pixels of a side.
const LONGEST_SIDE: u32 = 1024;

/// Most bytes of what is stored: a picture can get larger when it is encoded anew.
const MOST_CLEAN_BYTES: usize = 256 * 1024;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture that can be shown.
///
/// # Errors
/// Why it cannot be, for people.
pub(super) fn clean_logo(bytes: &[u8]) -> Result<Logo, String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("The file has more than {} KiB. Make it smaller.", MOST_BYTES / 1024));
    }
    let (media_type, bytes) = if bytes.starts_with(PNG) {
        ("image/png", clean_png(bytes).map_err(|error| format!("The PNG cannot be used: {error}."))?)
    } else {
        ("image/svg+xml", clean_svg(bytes)?)
    };
    if bytes.len() > MOST_CLEAN_BYTES {
        return Err("The picture is too large when it is unpacked. Make it smaller.".to_owned());
    }
    let version = hex(&Sha256::digest(&bytes)[..16]);
    Ok(Logo { bytes, media_type: media_type.to_owned(), version })
}

fn clean_png(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let words = |error: png::DecodingError| error.to_string();
    let limits = png::Limits { bytes: 16 * 1024 * 1024 };
    let mut reader = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits).read_info().map_err(words)?;
    let info = reader.info();
    let (width, height) = info.size();
    if width > LONGEST_SIDE || height > LONGEST_SIDE {
        return Err(format!("it has {width} × {height} pixels, and at most {LONGEST_SIDE} × {LONGEST_SIDE} are taken"));
    }
    let (palette, transparent) = (info.palette.clone(), info.trns.clone());
    let size = reader.output_buffer_size().ok_or("it is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(words)?;
    let mut clean = Vec::new();
    let mut encoder = png::Encoder::new(&mut clean, width, height);
    encoder.set_color(frame.color_type);
    encoder.set_depth(frame.bit_depth);
    if let Some(palette) = palette.filter(|_| frame.color_type == png::ColorType::Indexed) {
        encoder.set_palette(palette);
    }
    if let Some(transparent) = transparent {
        encoder.set_trns(transparent);
    }
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels[..frame.buffer_size()]));
    written.map_err(|error| error.to_string())?;
    Ok(clean)
}

fn clean_svg(bytes: &[u8]) -> Result<Vec<u8>, String> {
    const NO_PICTURE: &str = "The file is neither a PNG nor an SVG.";
    let text = std::str::from_utf8(bytes).map_err(|_| NO_PICTURE)?;
    // Entities can write what is looked for in other words, and grow without end.
    if text.contains("<!ENTITY") {
        return Err("The SVG declares entities. Save it without them.".to_owned());
    }
    let mut clean = Vec::new();
    svg_hush::Filter::new().filter(&mut &*bytes, &mut clean).map_err(|_| NO_PICTURE)?;
    let has_root = std::str::from_utf8(&clean).is_ok_and(|clean| clean.contains("<svg"));
    if has_root { Ok(clean) } else { Err(NO_PICTURE.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.add_text_chunk("Author".into(), "Ada at /home/ada".into()).expect("a text");
        let mut writer = encoder.write_header().expect("a head");
        writer.write_image_data(&vec![120; (width * height * 4) as usize]).expect("pixels");
        writer.finish().expect("an end");
        bytes
    }

    #[test]
    fn of_a_png_only_the_pixels_remain() {
        let mut bytes = picture(2, 3);
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let logo = clean_logo(&bytes).expect("a picture");
        assert_eq!((logo.media_type.as_str(), logo.version.len()), ("image/png", 32));
        let text = String::from_utf8_lossy(&logo.bytes).into_owned();
        assert!(!text.contains("Ada") && !text.contains("script"), "{text}");
        let again = clean_logo(&logo.bytes).expect("a picture");
        assert_eq!(again.bytes, logo.bytes);
    }

    #[test]
    fn of_an_svg_only_what_draws_remains() {
        let svg = r##"<?xml version="1.0"?><!DOCTYPE svg>
            <svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8" onload="alert(1)">
            <script>alert(2)</script><style>@import url(https://evil.example/a.css); rect { fill: url(https://evil.example/b) }</style>
            <foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="https://evil.example/c"/></foreignObject>
            <a xlink:href="javascript:alert(3)"><rect width="8" height="8" fill="#123456" onclick="alert(4)"/></a>
            <image href="https://evil.example/d.png"/><use href="data:image/svg+xml,evil"/>
            <set attributeName="onmouseover" to="alert(5)"/></svg>"##;
        let logo = clean_logo(svg.as_bytes()).expect("a picture");
        let text = String::from_utf8_lossy(&logo.bytes).into_owned();
        assert_eq!(logo.media_type, "image/svg+xml");
        assert!(text.contains("rect") && text.contains("#123456"), "{text}");
        let runs = ["script", "iframe", "foreignObject", "onload", "onclick", "attributeName"];
        let loads = ["@import", "url(http", "href=\"http", "href=\"data", "evil.example/b", "evil.example/d"];
        for evil in runs.into_iter().chain(loads) {
            assert!(!text.contains(evil), "{evil}: {text}");
        }
    }

    #[test]
    fn what_is_no_small_picture_is_refused() {
        let cut = &picture(2, 2)[..40];
        let many = "&a;".repeat(10);
        let entities =
            format!(r#"<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg">{many}</svg>"#);
        for (bytes, expected) in [
            (&b""[..], "neither a PNG nor an SVG"),
            (b"GIF89a", "neither a PNG nor an SVG"),
            (b"<html><body>x</body></html>", "neither a PNG nor an SVG"),
            (b"<svg", "neither a PNG nor an SVG"),
            (&[0xff; 40], "neither a PNG nor an SVG"),
            (entities.as_bytes(), "declares entities"),
            (cut, "cannot be used"),
            (&picture(1025, 1), "at most 1024"),
            (&vec![b' '; MOST_BYTES + 1], "more than 64 KiB"),
        ] {
            let refused = clean_logo(bytes).expect_err(expected);
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
