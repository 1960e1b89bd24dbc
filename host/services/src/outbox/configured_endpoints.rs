//! The endpoints of the configuration, `[[endpoints]]`: the database has them as the file does.

use secrecy::ExposeSecret;

use super::{
    endpoint_entries,
    endpoint_request::EndpointIn,
    webhook_signature::{generate, secret_of_text},
};
use jackfield_config::ConfiguredEndpoint;
use jackfield_outbound::Outbound;
use jackfield_store::{
    Store, StoreResult, Tx,
    audit::Action,
    endpoints::{self, Endpoint, EndpointSecrets, EndpointTerms},
    organizations::{self, Organization},
};

/// Makes, changes and removes endpoints, so that there are those of the configuration. What cannot
/// be is logged, and holds up nothing else.
///
/// # Errors
/// When the database fails.
pub async fn apply_configured(
    store: &Store,
    outbound: &Outbound,
    configured: &[ConfiguredEndpoint],
) -> StoreResult<()> {
    let to_programs = outbound.without_stand_in();
    let checked = configured.iter().filter_map(|endpoint| checked(endpoint, &to_programs)).collect::<Vec<_>>();
    store.write(move |tx| apply(tx, checked)).await
}

/// An endpoint as it is to be, and the slug of its organization.
struct Wanted {
    organization: String,
    terms: EndpointTerms,
    /// The secret that the operator has chosen.
    secret: Option<String>,
}

fn checked(endpoint: &ConfiguredEndpoint, outbound: &Outbound) -> Option<Wanted> {
    let ConfiguredEndpoint { organization, url, types, providers, secret, .. } = endpoint.clone();
    let asked = EndpointIn { url, description: String::new(), types, providers };
    let refused = |error: &dyn std::fmt::Display| {
        tracing::error!(organization.slug = organization, %error, "an endpoint of the configuration cannot be used");
    };
    let terms = asked.checked(outbound).inspect_err(|error| refused(error)).ok()?;
    let secret = match secret.as_ref().map(|secret| secret_of_text(secret.expose_secret())) {
        Some(None) => {
            refused(&"secret is whsec_ and 24 to 64 bytes in base64");
            return None;
        }
        secret => secret.flatten(),
    };
    Some(Wanted { organization, terms, secret })
}

fn apply(tx: &mut Tx<'_>, wanted: Vec<Wanted>) -> StoreResult<()> {
    let mut former = endpoints::configured(tx)?;
    for Wanted { organization, terms, secret } in wanted {
        let Some(found) = organizations::by_slug(tx, &organization)? else {
            tracing::warn!(
                organization.slug = organization,
                "an endpoint of the configuration is of an organization that does not exist"
            );
            continue;
        };
        let is_it = |endpoint: &Endpoint| endpoint.organization == found.id && endpoint.url == terms.url;
        match former.iter().position(is_it) {
            Some(at) => change(tx, &former.swap_remove(at), &terms, secret)?,
            None => create(tx, &found, &terms, secret)?,
        }
    }
    for endpoint in former {
        endpoints::remove(tx, endpoint.id)?;
        tx.audit(&endpoint_entries::by_operator(Action::EndpointRemoval, &endpoint))?;
    }
    Ok(())
}

fn create(
    tx: &mut Tx<'_>,
    organization: &Organization,
    terms: &EndpointTerms,
    secret: Option<String>,
) -> StoreResult<()> {
    let made = endpoints::insert(tx, organization.id, terms, &with_secret(generate(), secret), true)?;
    tx.audit(&endpoint_entries::by_operator(Action::EndpointCreation, &made))
}

fn change(tx: &mut Tx<'_>, endpoint: &Endpoint, terms: &EndpointTerms, secret: Option<String>) -> StoreResult<()> {
    let is_same = endpoint.kinds() == terms.kinds && endpoint.providers() == terms.providers;
    let before = endpoint.secrets(tx.sealer()).unwrap_or_else(|_| generate());
    let secrets = with_secret(before.clone(), secret);
    if is_same && secrets == before {
        return Ok(());
    }
    endpoints::change(tx, endpoint.id, terms)?;
    endpoints::put_secrets(tx, endpoint.id, &secrets)?;
    tx.audit(&endpoint_entries::by_operator(Action::EndpointChange, endpoint))
}

fn with_secret(secrets: EndpointSecrets, chosen: Option<String>) -> EndpointSecrets {
    match chosen {
        Some(symmetric) => EndpointSecrets { symmetric, ..secrets },
        None => secrets,
    }
}
