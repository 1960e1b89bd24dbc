//! Takes a provider through a setup as a person would: ordinary forms, services that answer, calls
//! that come in. What it brings then is its own, and is judged by the host's rules.

use jackfield_plugin_abi::envelope::{
    Answer, Grant, HttpResponse, Input, Pairs, Question, Request, RevokeRequest, State, Step, StepKind, TaskResult,
    WebhookRequest,
};
use jackfield_services::setup::{MAX_VISIT_REQUESTS, MAX_VISIT_STEPS};
use serde_json::{Value, json};

use super::{
    behaviour::Behaviour,
    budget::Budget,
    host_answers::HostAnswers,
    judge::{FORM_VALUE, Judge},
    observation::Observation,
    plugin_under_test::PluginUnderTest,
    problem::Problem,
};

const SETUP_URL: &str = "https://jackfield.example/extensions/plugin/setup/";
const WEBHOOK_URL: &str = "https://jackfield.example/extensions/checked/webhook/of-nobody/";
/// Most fields of a form that are posted alone, as buttons are.
const MOST_ALONE: usize = 8;
/// Numbers that are lost where they are read or printed with fewer than 17 digits, or are not
/// rounded to the nearest.
const FLOATS: [f64; 3] = [31.245_270_191_439_438, 121.487_919_511_619_45, 0.300_000_000_000_000_04];
const FLOATS_KEY: &str = "jackfield-check";

/// One provider under rehearsal.
pub(super) struct Rehearsal<'a> {
    pub(super) plugin: &'a mut PluginUnderTest,
    pub(super) judge: &'a Judge,
    /// Its secret options with their values.
    pub(super) canaries: Vec<(&'a str, &'a str)>,
    pub(super) budget: &'a mut Budget,
    pub(super) behaviour: &'a mut Behaviour,
}

/// A service that answers well, and little.
struct Service;

impl HostAnswers for Service {
    fn input(&mut self) -> Input {
        Input::Response { response: HttpResponse::new(200, account().to_string()) }
    }

    fn token(&mut self) -> Input {
        Input::Token { grant: Box::new(Grant::new(FORM_VALUE, FORM_VALUE)) }
    }
}

fn account() -> Value {
    json!({"ok": true, "id": "1", "name": "Example", "login": "example", "access_token": FORM_VALUE, "scope": "",
        "team": {"id": "T1", "name": "Example"}, "authed_user": {"id": "U1"}})
}

impl Rehearsal<'_> {
    /// Plays all of it. `None` when more would only show more of the same, or costs too much.
    pub(super) async fn play(mut self) -> Option<()> {
        let (state, form) = self.steps().await?;
        self.visit(&request("GET", Vec::new())).await?;
        self.visit(&request("POST", form)).await?;
        self.after_the_steps(state).await?;
        self.floats().await
    }

    async fn ask(&mut self, step: Option<&str>, question: Question) -> Option<Observation> {
        let observation = self.plugin.observe_within(question, &mut Service, self.budget).await?;
        let further = self.judge.problems(&observation).await;
        self.behaviour.observe_ordinary(step, &observation, self.canaries.clone(), further);
        if let Err(error) = self.plugin.probe().await {
            self.behaviour.add_unasked(step, &observation, &error);
        }
        (!self.behaviour.is_hopeless()).then_some(observation)
    }

    /// Each step, with a state as the steps before it have left it. Returns the last one, and the
    /// first form.
    async fn steps(&mut self) -> Option<(State, Pairs)> {
        let (mut state, mut first_form) = (State::new(), None);
        for Step { name, kind } in &self.judge.steps {
            match kind {
                StepKind::View => {
                    let (after, form) = self.view(name, state).await?;
                    state = after;
                    first_form = first_form.or(Some(form));
                }
                StepKind::OAuth2FromState => {
                    self.ask(Some(name), Question::OAuth2 { step: name.clone(), state: state.clone() }).await?;
                    state.insert(name.clone(), account());
                }
                _ => {
                    state.insert(name.clone(), account());
                }
            }
        }
        Some((state, first_form.unwrap_or_default()))
    }

    /// A step: its page, then its form posted whole and each field alone.
    async fn view(&mut self, name: &str, state: State) -> Option<(State, Pairs)> {
        let question = |request, state: &State| Question::View { view: name.to_owned(), request, state: state.clone() };
        let shown = self.ask(Some(name), question(request("GET", Vec::new()), &state)).await?;
        let form = form_of(&shown);
        let mut posts = vec![form.clone()];
        if form.len() > 1 {
            posts.extend(form.iter().take(MOST_ALONE).map(|field| vec![field.clone()]));
        }
        let (mut after, mut goes_on) = (state.clone(), false);
        for post in posts {
            let observation = self.ask(Some(name), question(request("POST", post), &state)).await?;
            if let Ok(TaskResult::Answered { answer, state }) = observation.result
                && !goes_on
            {
                (after, goes_on) = (state, answer == Answer::Next);
            }
        }
        Some((after, form))
    }

    /// One visit of a browser, as long as the steps answer that the next one is to run.
    async fn visit(&mut self, request: &Request) -> Option<()> {
        let (mut state, mut requests) = (State::new(), 0);
        let steps = self.judge.steps.iter().take_while(|step| step.kind == StepKind::View);
        for (at, Step { name, .. }) in steps.enumerate() {
            if at == MAX_VISIT_STEPS {
                self.behaviour.add(Problem::Steps, "one visit");
                break;
            }
            let question = Question::View { view: name.clone(), request: request.clone(), state };
            let observation = self.ask(Some(name), question).await?;
            requests += observation.requests.len();
            match observation.result {
                Ok(TaskResult::Answered { answer: Answer::Next, state: after }) => state = after,
                _ => break,
            }
        }
        if requests > MAX_VISIT_REQUESTS {
            self.behaviour.add(Problem::VisitRequests(requests), "one visit");
        }
        Some(())
    }

    async fn after_the_steps(&mut self, mut state: State) -> Option<()> {
        state.entry("data").or_insert_with(account);
        let grant = || Grant::new(FORM_VALUE, FORM_VALUE).refresh_token(FORM_VALUE);
        let call = || WebhookRequest::new("POST", "{}");
        for question in [
            Question::BuildIntegration { state: state.clone() },
            Question::Revoke { request: RevokeRequest::uninstall(FORM_VALUE, State::new(), vec![grant()]) },
            Question::Webhook { request: call(), state },
            Question::Refresh { grant: Box::new(grant()), metadata: State::new() },
            Question::Event { request: call() },
        ] {
            self.ask(None, question).await?;
        }
        Some(())
    }

    /// The host signs a state as it prints it, and reads it again.
    async fn floats(&mut self) -> Option<()> {
        let Some(Step { name, .. }) = self.judge.steps.iter().find(|step| step.kind == StepKind::View) else {
            return Some(());
        };
        let given: Value = FLOATS.to_vec().into();
        let state: State = [(FLOATS_KEY.to_owned(), given.clone())].into_iter().collect();
        let question = Question::View { view: name.clone(), request: request("GET", Vec::new()), state };
        let observation = self.ask(Some(name), question).await?;
        if let Ok(TaskResult::Answered { state, .. }) = &observation.result
            && let Some(found) = state.get(FLOATS_KEY).filter(|found| **found != given)
        {
            let found = found.to_string().chars().take(100).collect();
            self.behaviour.add(Problem::Float { found, wanted: given.to_string() }, &format!("the step `{name}`"));
        }
        Some(())
    }
}

fn request(method: &str, form: Pairs) -> Request {
    let mut request = Request::new(method, SETUP_URL);
    request.webhook_url = WEBHOOK_URL.to_owned();
    request.form = form;
    request
}

/// The form of a page as a person fills it in.
fn form_of(observation: &Observation) -> Pairs {
    let Ok(TaskResult::Answered { answer, .. }) = &observation.result else { return Pairs::new() };
    match answer {
        Answer::Html { html } | Answer::Wait { html } => {
            html.split(" name=").skip(1).map(|rest| (attribute(rest).to_owned(), FORM_VALUE.to_owned())).collect()
        }
        Answer::Form { form } => {
            let fields = form.fields.iter();
            let written = fields.map(|field| {
                let choice = field.choices.first().map_or(FORM_VALUE, |choice| &choice.value);
                (field.name.clone(), choice.to_owned())
            });
            written.collect()
        }
        _ => Pairs::new(),
    }
}

/// The value that a text begins with: in quotes, or up to a space or the end of the tag.
fn attribute(rest: &str) -> &str {
    let value = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
        _ => rest.split([' ', '>', '/', '\n']).next(),
    };
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_page_is_filled_in() {
        let html = r#"<form><input id="to" name="to"><button name=go value=1>Go</button><a name='c'></form>"#;
        let result = Ok(TaskResult::Answered { answer: Answer::html(html), state: State::new() });
        let names: Vec<String> =
            form_of(&Observation { result, ..Observation::of(Question::Unknown) }).into_iter().map(|f| f.0).collect();
        assert_eq!(names, ["to", "go", "c"]);
    }
}
