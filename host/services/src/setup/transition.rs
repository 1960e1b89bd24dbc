//! What follows a step's answer. Pure: no clock, no database, no network.

use super::setup_outcome::{Failure, INTERNAL_ERROR, Page};
use jackfield_loader::{Answer, Destination};

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Transition {
    /// The same step waits for the person.
    Show(Page),
    /// The same step waits for the person to come back.
    Redirect(String),
    /// The same, from a host that the plugin does not declare: the person decides whether to go.
    Leave(String),
    /// The step with this index runs at once.
    Advance(usize),
    /// There is no further step.
    Finish,
    /// The setup ends without an integration.
    Fail(Failure),
}

/// What follows the answer of step `current` of `count`. `destination` is that of a redirect.
pub(super) fn transition(answer: Answer, destination: Destination, current: usize, count: usize) -> Transition {
    match answer {
        Answer::Html { html } => Transition::Show(Page::Html(html)),
        Answer::Wait { html } => Transition::Show(Page::Wait(html)),
        Answer::Form { form } => Transition::Show(Page::Form(form)),
        Answer::Redirect { url } if destination == Destination::Declared => Transition::Redirect(url),
        Answer::Redirect { url } => Transition::Leave(url),
        Answer::Next if current + 1 < count => Transition::Advance(current + 1),
        Answer::Next => Transition::Finish,
        Answer::Error { message } => Transition::Fail(Failure { message, check: None }),
        Answer::Unknown => Transition::Fail(INTERNAL_ERROR.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jackfield_loader::Form;

    #[test]
    fn each_answer_has_its_transition() {
        let error = || Answer::Error { message: "no".into() };
        let cases = [
            (Answer::Html { html: "<p>".into() }, 0, Transition::Show(Page::Html("<p>".into()))),
            (Answer::Wait { html: "<p>".into() }, 0, Transition::Show(Page::Wait("<p>".into()))),
            (Answer::Form { form: Form::new("t") }, 1, Transition::Show(Page::Form(Form::new("t")))),
            (Answer::Redirect { url: "https://a/".into() }, 1, Transition::Redirect("https://a/".into())),
            (Answer::Next, 0, Transition::Advance(1)),
            (Answer::Next, 1, Transition::Finish),
            (error(), 0, Transition::Fail("no".into())),
            (Answer::Unknown, 0, Transition::Fail(INTERNAL_ERROR.into())),
        ];
        for (answer, current, follows) in cases {
            let found = transition(answer.clone(), Destination::Declared, current, 2);
            assert_eq!(found, follows, "{answer:?} at {current}");
        }
        let elsewhere = transition(Answer::redirect("https://a/"), Destination::Elsewhere, 0, 2);
        assert_eq!(elsewhere, Transition::Leave("https://a/".into()), "the person decides");
    }
}
