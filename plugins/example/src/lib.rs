//! The example provider, for plugin authors to copy. One step asks for a name, and the integration
//! has that name.

use jackfield_plugin::{
    Answer, Field, Host, Integration, NoOptions, Pipeline, Provider, Result, State, Step, export_providers, value,
};

struct Example;

impl Provider for Example {
    type Options = NoOptions;
    const ID: &'static str = "example";
    const NAME: &'static str = "Example";

    fn new(_: NoOptions) -> Self {
        Self
    }

    fn config(&self) -> Vec<Field> {
        vec![Field::text("name", "Name")]
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new().view("name", ask_name)
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let name: String = value(&state, "name")?;
        Ok(Integration::new(name.clone()).name(name))
    }
}

const FORM: &str = r#"<form method="POST">
<p><label for="name">Name</label> <input id="name" name="name" required autofocus></p>
<p><button type="submit">Continue</button></p>
</form>"#;

async fn ask_name(mut step: Step) -> Result<Answer> {
    match step.form("name").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned) {
        Some(name) => {
            step.bind("name", name);
            Ok(Answer::Next)
        }
        None => Ok(Answer::html(FORM)),
    }
}

export_providers!(Example);

#[cfg(test)]
mod tests {
    use jackfield_plugin_test::Harness;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_asks_until_a_name_is_posted() {
        let mut example = Harness::<Example>::new(json!({}));
        assert!(example.get().expect_html().contains(r#"name="name""#));
        assert!(example.post(&[("name", "  ")]).expect_html().contains(r#"<form method="POST">"#));
        let integration = example.post(&[("name", "Ada's")]).expect_integration();
        assert_eq!((integration.external_id.as_str(), integration.name.as_deref()), ("Ada's", Some("Ada's")));
        assert!(integration.metadata.is_empty() && integration.identity.is_none());
    }
}
