//! Signatures that minisign has made, as they are and changed.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use tempfile::TempDir;

use super::*;

/// The public half of a key that minisign 0.11 has made.
const KEY: &str = "RWSMn1cR4F8OEhMbzQSyVd+YZX/WmeTwwJDgaUAGgNFE7l5mvh/fOYWD";
const ANOTHER: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

/// Of the file `libacme.so` that holds `library`, by `minisign -S`.
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUSMn1cR4F8OEvNSTE3TPCGB1XkaOcXQcCHQRTOf4X8u/aiSeYQHNZCP1xEoX9KN3cXzUXpkW59ioR6CZ3VEth6mb1fqieCoygE=
trusted comment: timestamp:1795622009\tfile:libacme.so\thashed
0CJfkC6uOyOaW0jQsJ2u+713vu82aJ36LieZUa94eob4B/PaPyVHw4y1IHCsQZFQ1SVIswNJrxIEZdRGDoIEDQ==
";

/// Of the same, by `minisign -S -l`: over the file and not over its hash.
const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWSMn1cR4F8OEhSI6ZFhcfZoF8TxaUnZUZFWtNGDJLaUMxRQrlQsMzUkt1ZKymFuXxwJBcSZ8lC8wDy3GBqei2Vyq9c25cVFXgQ=
trusted comment: timestamp:1795622009\tfile:libacme.so
IX8BhWyzZ4zGRp/ur0iC1rS3AkvJWfcsX9Tn4gA5W12wLQtKdtIYe+f2bIKZGMQt5vQn3Kp3k6G2GDStN1wTAw==
";

fn trusted(keys: &[&str]) -> TrustedKeys {
    TrustedKeys::from(keys.iter().map(|key| key.parse().expect("a public key")).collect::<Vec<TrustedKey>>())
}

/// A folder with this signature of `libacme.so` in it, and that library's path.
fn signed(signature: &str) -> (TempDir, PathBuf) {
    let mode = |mode| Permissions::from_mode(mode);
    let folder = tempfile::Builder::new().permissions(mode(0o755)).tempdir().expect("a folder");
    let library = folder.path().join("libacme.so");
    fs::write(signature_path(&library), signature).expect("writable");
    fs::set_permissions(signature_path(&library), mode(0o644)).expect("our own");
    (folder, library)
}

/// The signer of a library with this signature beside it, or why there is none.
fn signer_of(bytes: &str, signature: Option<&str>, keys: &[&str]) -> Result<String, String> {
    let (folder, library) = signed(signature.unwrap_or_default());
    if signature.is_none() {
        fs::remove_file(signature_path(&library)).expect("our own");
    }
    let signer = signer(&library, bytes.as_bytes(), &trusted(keys));
    let message = |refusal: Refusal| refusal.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    signer.map(|id| id.expect("a signature is demanded").to_string()).map_err(message)
}

#[test]
fn a_signature_that_minisign_has_made_is_taken() {
    assert_eq!(signer_of("library", Some(SIGNATURE), &[ANOTHER, KEY]), Ok("120E5FE011579F8C".to_owned()));
}

#[test]
fn what_is_not_signed_by_a_trusted_key_is_refused_with_what_was_wanted() {
    let refused = |signature, keys: &[&str]| signer_of("library", signature, keys).expect_err("it is refused");
    insta::assert_snapshot!(
        refused(None, &[KEY]),
        @"FOLDER/libacme.so: not signed: found no FOLDER/libacme.so.minisig, wanted a signature by one of plugins.trusted-keys"
    );
    insta::assert_snapshot!(
        refused(Some(SIGNATURE), &[ANOTHER]),
        @"FOLDER/libacme.so: signed by a key that is not trusted: found 120E5FE011579F8C, wanted E7620F1842B4E81F"
    );
    insta::assert_snapshot!(
        refused(Some(SIGNATURE), &[]),
        @"FOLDER/libacme.so: signed by a key that is not trusted: found 120E5FE011579F8C, wanted one of plugins.trusted-keys, of which none can be read"
    );
    insta::assert_snapshot!(
        refused(Some(LEGACY), &[KEY]),
        @"FOLDER/libacme.so.minisig: not a signature: found one over the file itself, wanted minisign's format, over its hash"
    );
}

#[test]
fn other_bytes_or_another_comment_do_not_fit() {
    let renamed = SIGNATURE.replace("file:libacme.so", "file:libevil.so");
    for (bytes, signature) in [("librarz", SIGNATURE), ("", SIGNATURE), ("library", &renamed)] {
        let message = signer_of(bytes, Some(signature), &[KEY]).expect_err("it does not fit");
        assert!(message.contains("its signature does not fit") && message.contains("120E5FE011579F8C"), "{message}");
    }
}

#[test]
fn a_key_that_only_borrows_a_trusted_id_signs_nothing() {
    let (ours, theirs) = (KEY.parse::<TrustedKey>().expect("a key"), ANOTHER.parse::<TrustedKey>().expect("a key"));
    let borrowed = TrustedKeys::from(vec![TrustedKey { id: ours.id, key: theirs.key }]);
    let (_folder, library) = signed(SIGNATURE);
    let refusal = signer(&library, b"library", &borrowed).expect_err("another key's");
    assert!(matches!(refusal, Refusal::SignatureDoesNotFit { .. }), "{refusal}");
}

#[test]
fn a_cut_or_bent_signature_is_refused_and_panics_nowhere() {
    for end in 0..SIGNATURE.trim_end().len() {
        assert!(signer_of("library", Some(&SIGNATURE[..end]), &[KEY]).is_err(), "cut at {end}");
    }
    let lines: Vec<&str> = SIGNATURE.lines().collect();
    for bent in ["", "AAAA", "####", &"A".repeat(88), &"A".repeat(5000)] {
        for at in 1..4 {
            let mut lines = lines.clone();
            lines[at] = bent;
            assert!(signer_of("library", Some(&lines.join("\n")), &[KEY]).is_err(), "line {at} as {bent:.8}");
        }
    }
}
