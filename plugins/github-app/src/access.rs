//! Whether a person may connect an installation: they are its account, or own its organization.
//!
//! Anybody can come back with any number. And GitHub also lists an installation to those who may
//! read one repository of it, while its token opens all of them:
//! <https://docs.github.com/en/rest/apps/installations#list-app-installations-accessible-to-the-user-access-token>

use jackfield_plugin::{Answer, Host, HttpRequest, HttpResponse, Result, Step, Value, View};

use crate::github_api::{send, send_for_json};

/// The step after the log-in.
pub(crate) struct CheckAccess {
    /// URL of the API, without a slash at its end.
    pub(crate) api: String,
}

impl View for CheckAccess {
    async fn dispatch(&self, step: Step) -> Result<Answer> {
        let id: u64 = step.value("installation_id")?;
        let token_response: Value = step.value("data")?;
        let token = token_response["access_token"].as_str().unwrap_or_default();
        let person = Person { api: &self.api, host: step.host(), token };
        let Some(account) = person.account_of(id).await? else {
            return Ok(Answer::error("your GitHub account has no access to this installation"));
        };
        Ok(match person.judge(&account).await? {
            Judgement::MayConnect => Answer::Next,
            Judgement::MayNot => Answer::error(may_not(&account)),
            Judgement::Unknown => Answer::error(unknown(&account)),
        })
    }
}

enum Judgement {
    MayConnect,
    MayNot,
    /// GitHub refuses to say what the person is in the organization.
    Unknown,
}

/// The person who has logged in.
struct Person<'a> {
    api: &'a str,
    host: &'a Host,
    token: &'a str,
}

impl Person<'_> {
    /// The account of an installation; `None` if the person cannot see the installation.
    async fn account_of(&self, id: u64) -> Result<Option<Value>> {
        for page in 1..=100 {
            let list = self.get_json(&format!("user/installations?per_page=100&page={page}")).await?;
            let installations = list["installations"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(found) = installations.iter().find(|installation| installation["id"] == id) {
                return Ok(Some(found["account"].clone()));
            }
            if installations.len() < 100 {
                break;
            }
        }
        Ok(None)
    }

    /// An account of a type that is not here, like an enterprise, is nobody's.
    async fn judge(&self, account: &Value) -> Result<Judgement> {
        match account["type"].as_str() {
            Some("User") => {
                let user = self.get_json("user").await?;
                Ok(if is_same(&user["id"], &account["id"]) { Judgement::MayConnect } else { Judgement::MayNot })
            }
            Some("Organization") => self.judge_membership(account).await,
            _ => Ok(Judgement::MayNot),
        }
    }

    /// Organization owners are GitHub's `admin`s:
    /// <https://docs.github.com/en/rest/orgs/members#get-an-organization-membership-for-the-authenticated-user>
    async fn judge_membership(&self, account: &Value) -> Result<Judgement> {
        let Some(login) = account["login"].as_str().filter(|login| is_login(login)) else {
            return Ok(Judgement::MayNot);
        };
        let response = self.get(&format!("user/memberships/orgs/{login}")).await?;
        match response.status {
            200 => {}
            403 => {
                self.host.warn("GitHub does not say who owns an organization: the app needs the permission Members");
                return Ok(Judgement::Unknown);
            }
            _ => return Ok(Judgement::MayNot),
        }
        let membership: Value = response.json()?;
        let is_owner = membership["state"] == "active" && membership["role"] == "admin";
        // The name may have gone to another organization since the list was read.
        let organization = &membership["organization"]["id"];
        let is_this = organization.is_null() || is_same(organization, &account["id"]);
        Ok(if is_owner && is_this { Judgement::MayConnect } else { Judgement::MayNot })
    }

    async fn get_json(&self, path: &str) -> Result<Value> {
        send_for_json(self.host, HttpRequest::get(format!("{}/{path}", self.api)), self.token).await
    }

    async fn get(&self, path: &str) -> Result<HttpResponse> {
        send(self.host, HttpRequest::get(format!("{}/{path}", self.api)), self.token).await
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    one.is_u64() && one == other
}

/// Whether it is one segment of a path as it stands.
fn is_login(login: &str) -> bool {
    !login.is_empty() && login.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn name(account: &Value) -> &str {
    ["login", "slug"].iter().find_map(|key| account[*key].as_str()).unwrap_or("another account")
}

fn may_not(account: &Value) -> String {
    let name = name(account);
    format!("this installation belongs to {name}, and only an owner of {name} can connect it: ask one to do it")
}

fn unknown(account: &Value) -> String {
    let name = name(account);
    format!(
        "GitHub does not say whether you are an owner of {name}: the app needs the organization permission \
         \"Members\" (read-only), and an owner has to accept it"
    )
}
