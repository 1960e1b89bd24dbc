//! How a plugin describes its providers: not too many, and with clean names.

use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider};

use super::{
    out_of_bounds::{OutOfBounds, at_most},
    plain_text::{check_id, clean},
};

/// Most providers of one library.
const MOST_PROVIDERS: usize = 512;
/// Most options that a provider says it lacks.
const MOST_MISSING: usize = 64;

/// The exported providers, with clean names. One without a name is called by its id.
///
/// # Errors
/// When there are too many.
pub(crate) fn checked_providers(mut providers: Vec<NamedProvider>) -> Result<Vec<NamedProvider>, OutOfBounds> {
    at_most("the library", providers.len(), MOST_PROVIDERS, "providers")?;
    for provider in &mut providers {
        let name = clean(&provider.name);
        provider.name = if name.is_empty() { clean(&provider.id) } else { name };
    }
    Ok(providers)
}

/// The description of a provider, with clean words.
///
/// # Errors
/// A name of a step that is too long, or has a character that it cannot have.
pub(crate) fn checked_description(mut description: CreateOut) -> Result<CreateOut, OutOfBounds> {
    for step in &description.steps {
        check_id("the name of a step", &step.name)?;
    }
    at_most("the provider", description.missing.len(), MOST_MISSING, "missing options")?;
    description.missing.iter_mut().for_each(|option| *option = clean(option));
    for field in &mut description.config {
        field.label = clean(&field.label);
    }
    Ok(description)
}

#[cfg(test)]
mod tests {
    use jackfield_plugin_abi::envelope::{Step, StepKind};

    use super::*;

    fn named(id: &str, name: &str) -> NamedProvider {
        NamedProvider { id: id.to_owned(), name: name.to_owned(), options: Vec::new() }
    }

    #[test]
    fn a_library_has_so_many_providers_and_their_names_are_clean() {
        let names = |named| checked_providers(named).map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>());
        let three = vec![named("slack", "\u{202e}Slack\u{1b}[2J"), named("acme", ""), named("b", &"n".repeat(300))];
        assert_eq!(names(three), Ok(vec!["Slack[2J".to_owned(), "acme".to_owned(), "n".repeat(200)]));
        let error = names(vec![named("p", "P"); 513]).expect_err("one too many");
        assert_eq!(error.to_string(), "the library: found 513 providers, at most 512 are taken");
    }

    #[test]
    fn the_name_of_a_step_is_refused_and_other_words_are_cleaned() {
        let step = Step { name: "a\u{1b}".to_owned(), kind: StepKind::View };
        let error = checked_description(CreateOut { steps: vec![step], ..CreateOut::default() }).expect_err("ESC");
        assert_eq!(error.to_string(), "the name of a step: found the character U+001B, which it cannot have");
        let missing = vec!["client\u{202e}-id".to_owned()];
        let checked = checked_description(CreateOut { missing, ..CreateOut::default() });
        assert_eq!(checked.map(|checked| checked.missing), Ok(vec!["client-id".to_owned()]));
    }
}
