//! What an issuer publishes, with faults that cost nothing: metadata with members of the wrong
//! type, and userinfo that is signed.

use anyhow::Result;
use jackfield_test_support::stand_in_oauth2::{Metadata, StandInOAuth2, Userinfo};

use super::issuer::{by_issuer, issuer_of, log_of, setup_error};
use crate::{
    app::{AppDatabase, step_error},
    providers::declared::host_and_owner,
};

const INTERNAL: &str = "an internal error occurred";

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_metadata_that_is_not_of_its_type_is_passed_over_unless_it_is_needed() -> Result<()> {
    let passed_over = issuer_of("acme", |_, issuer| issuer.metadata = Metadata::WrongTypes)?;
    let needed = issuer_of("needed", |_, issuer| issuer.metadata = Metadata::NumberForUrl)?;
    let service = StandInOAuth2::start([passed_over, needed].into()).await?;
    let tables = ["acme", "needed"].map(|id| by_issuer(&service, id, ""));
    let (host, owner) = host_and_owner(&service, &tables.join("\n")).await?;
    for _ in 0..2 {
        assert_eq!(setup_error(&owner, "acme").await?, "");
    }
    let named = "scopes_supported";
    let lines = log_of(&host, named)?;
    assert_eq!(lines.lines().count(), 1, "it is said once: {lines}");
    for member in ["code_challenge_methods_supported", "revocation_endpoint"] {
        assert!(lines.contains(member), "{member}: {lines}");
    }
    owner.start_setup("acme", "needed").await?;
    let error = step_error(&host, "needed")?;
    assert!(error.contains("have a token_endpoint that is not an absolute URL, and none is set"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_userinfo_is_verified_like_an_id_token() -> Result<()> {
    let account = "account = { from = \"userinfo\", id = \"org.id\", name = \"email\" }";
    let kinds = [
        ("signed", Userinfo::Signed, ""),
        ("forged", Userinfo::SignedByAnother, "its signature is not the issuer's"),
        ("foreign", Userinfo::OtherAudience, "whose claim `aud` is not the expected one"),
        ("encrypted", Userinfo::Encrypted, "it is encrypted"),
    ];
    let services = kinds.map(|(id, userinfo, _)| issuer_of(id, |_, issuer| issuer.userinfo = userinfo));
    let service = StandInOAuth2::start(services.into_iter().collect::<Result<_>>()?).await?;
    let tables = kinds.map(|(id, ..)| by_issuer(&service, id, account));
    let (host, owner) = host_and_owner(&service, &tables.join("\n")).await?;
    for (id, _, words) in kinds {
        let expected = if words.is_empty() { "" } else { INTERNAL };
        assert_eq!(setup_error(&owner, id).await?, expected, "{id}");
        if !words.is_empty() {
            let error = step_error(&host, id)?;
            assert!(error.contains(words), "{id}: {error}");
        }
    }
    let stored = AppDatabase::of(&host).await?.integrations().await?;
    let stored: Vec<_> = stored.iter().map(|(installed, _)| installed.integration.external_id.as_str()).collect();
    assert_eq!(stored, ["O1"]);
    Ok(())
}
