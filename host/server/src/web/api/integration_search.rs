//! What a list of integrations is searched for: `?search=…&subject=…&tag[plan]=pro`.

use std::collections::BTreeMap;

use url::form_urlencoded::{Serializer, parse};

use crate::web::error::{Problem, WebError};
use jackfield_services::integrations::{Search, Subject, Tags};

/// Reads a query. What is empty is not searched for, since a form sends it so.
pub(in crate::web) fn search_in(query: Option<&str>) -> Result<Search, WebError> {
    let mut search = Search::default();
    let mut tags = BTreeMap::new();
    for (name, value) in parse(query.unwrap_or_default().as_bytes()) {
        match (&*name, tag_key(&name)) {
            ("search", _) => value.trim().clone_into(&mut search.text),
            ("subject", _) if value.is_empty() => {}
            ("subject", _) => {
                let subject = Subject::new(&value, None).map_err(because)?;
                search.subject = Some(subject.id().to_owned());
            }
            (_, Some(key)) => {
                if tags.insert(key.to_owned(), value.into_owned()).is_some() {
                    return Err(Problem::BadRequest.because("A tag has one value."));
                }
            }
            _ => {}
        }
    }
    search.tags = Tags::new(tags).map_err(because)?.into_pairs();
    Ok(search)
}

/// The key in `tag[key]`.
fn tag_key(name: &str) -> Option<&str> {
    name.strip_prefix("tag[")?.strip_suffix(']')
}

fn because(error: impl ToString) -> WebError {
    Problem::BadRequest.because(error.to_string())
}

/// A search as parameters that another can follow; nothing without one.
pub(in crate::web) fn search_parameters(search: &Search) -> String {
    let mut pairs = Serializer::new(String::new());
    if !search.text.is_empty() {
        pairs.append_pair("search", &search.text);
    }
    if let Some(subject) = &search.subject {
        pairs.append_pair("subject", subject);
    }
    for (key, value) in &search.tags {
        pairs.append_pair(&format!("tag[{key}]"), value);
    }
    let query = pairs.finish();
    if query.is_empty() { query } else { format!("{query}&") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_read_from_a_query_and_written_into_the_next() {
        for (query, expected) in [
            ("per_page=3", ""),
            ("search=+Ada+&subject=&cursor=x", "search=Ada&"),
            ("subject=c%2F1&tag[plan]=pro", "subject=c%2F1&tag%5Bplan%5D=pro&"),
            ("tag%5Ba%5D=1&tag[b]=&tag[[c]]=2", "tag%5B%5Bc%5D%5D=2&tag%5Ba%5D=1&tag%5Bb%5D=&"),
        ] {
            let search = search_in(Some(query)).unwrap_or_else(|_| panic!("{query} is a search"));
            assert_eq!(search_parameters(&search), expected, "{query}");
        }
    }

    #[test]
    fn a_search_that_nothing_can_meet_is_refused() {
        let long = format!("subject={}", "x".repeat(256));
        let many: String = (0..11).map(|number| format!("tag[{number}]=x&")).collect();
        for query in ["tag[]=x", "tag[a]=1&tag[a]=2", "subject=%00", "tag[a]=%0a", &long, &many] {
            assert!(search_in(Some(query)).is_err(), "{query}");
        }
    }
}
