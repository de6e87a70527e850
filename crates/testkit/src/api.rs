//! A small client of the REST interface, for tests.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, ensure};
use cronfleet_api::agent::{Agent, JoinToken, JoinTokenCreate};
use cronfleet_api::center::Center;
use cronfleet_api::group::Group;
use cronfleet_api::job::{Job, JobCreate, JobReplace, JobSpec, RunNow, RunNowAnswer};
use cronfleet_api::output::{OutputPiece, OutputStream};
use cronfleet_api::page::Page;
use cronfleet_api::run::{Lapse, Run};
use cronfleet_api::session::{Me, SetupRequest, SignInRequest};
use cronfleet_api::slot::{Process, Slot};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::fleet::user;

/// Login of the administrator that [`Api::set_up`] creates.
const ADMIN: &str = "admin";
/// Password of that administrator.
const PASSWORD: &str = "quiet harbour lantern 7";

/// How long an idle connection is used again: less than a center keeps it, or a request might meet its end.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Longest wait for an answer: a center may be suspended.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only of this job.
    pub job: Option<Uuid>,
    /// Only in these states (comma list).
    pub state: Option<&'static str>,
}

/// Talks to a center as its administrator.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

impl Api {
    /// A client of the center at `address`, not signed in.
    pub fn new(address: &str) -> Self {
        Self {
            base: format!("http://{address}/api/v1"),
            token: None,
            client: reqwest::Client::builder()
                .pool_idle_timeout(IDLE_MAX)
                .timeout(ANSWER_WAIT)
                .build()
                .unwrap_or_default(),
        }
    }

    /// Creates the first administrator with the setup code, and signs in.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn set_up(&mut self, code: &str) -> anyhow::Result<()> {
        let request = SetupRequest {
            code: code.to_owned(),
            login: ADMIN.to_owned(),
            password: PASSWORD.to_owned(),
            display_name: None,
        };
        let _me: Me = self.call(Method::POST, "/setup", &request).await?;
        self.sign_in().await
    }

    /// Signs in as the administrator that [`Api::set_up`] created.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn sign_in(&mut self) -> anyhow::Result<()> {
        let request = SignInRequest {
            login: ADMIN.to_owned(),
            password: PASSWORD.to_owned(),
            wants_token: true,
        };
        let me: Me = self.call(Method::POST, "/session", &request).await?;
        self.token = Some(me.token.context("the answer has no token")?);
        Ok(())
    }

    /// One request with a body; the answer must be a success.
    ///
    /// # Errors
    /// The center cannot be reached or refuses; the message has its answer.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let (status, text) = self.try_call(method.clone(), path, Some(body), &[]).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(if text.is_empty() { "null" } else { &text })
            .with_context(|| format!("{method} {path}: {text}"))
    }

    /// One request; answers status and body, whatever they are.
    ///
    /// # Errors
    /// The center cannot be reached.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<(StatusCode, String)> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        Ok((answer.status(), answer.text().await?))
    }

    /// One `GET`.
    ///
    /// # Errors
    /// The center cannot be reached or refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, text) = self.try_call(Method::GET, path, None::<&()>, &[]).await?;
        ensure!(status.is_success(), "GET {path}: {status} {text}");
        serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"))
    }

    /// All rows of a list, page by page.
    async fn all<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = format!("{path}{separator}limit=500");
            if let Some(cursor) = cursor {
                write!(url, "&cursor={cursor}")?;
            }
            let page: Page<T> = self.get(&url).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// The token of the session, for other clients.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// All groups.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn groups(&self) -> anyhow::Result<Vec<Group>> {
        self.all("/groups").await
    }

    /// The group of this name, created if there is none: it lets jobs run as the test's own user.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn group_named(&self, name: &str) -> anyhow::Result<Uuid> {
        let groups = self.groups().await?;
        if let Some(group) = groups.into_iter().find(|group| group.name == name) {
            return Ok(group.id);
        }
        let create = serde_json::json!({ "name": name, "run_as": [user()?] });
        let group: Group = self.call(Method::POST, "/groups", &create).await?;
        Ok(group.id)
    }

    /// A token with which a machine joins as an agent of a group, approved beforehand.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn invite(&self, group: Uuid) -> anyhow::Result<String> {
        let request = JoinTokenCreate {
            group_ids: vec![group],
            is_preapproved: true,
            ttl_seconds: None,
            uses_max: None,
        };
        Ok(self.join_token(&request).await?.token)
    }

    /// All centers.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn centers(&self) -> anyhow::Result<Vec<Center>> {
        let page: Page<Center> = self.get("/centers").await?;
        Ok(page.items)
    }

    /// All agents.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn agents(&self) -> anyhow::Result<Vec<Agent>> {
        self.all("/agents").await
    }

    /// All runs of a query, newest due instant first.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn runs(&self, query: &RunQuery) -> anyhow::Result<Vec<Run>> {
        let mut path = "/runs?".to_owned();
        if let Some(job) = query.job {
            write!(path, "job={job}&")?;
        }
        if let Some(state) = query.state {
            write!(path, "state={state}&")?;
        }
        self.all(path.trim_end_matches(['?', '&'])).await
    }

    /// All runs due at or after `from` and before `to`, newest due instant first.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn runs_due(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<Run>> {
        self.all(&format!("/runs?from={from}&to={to}")).await
    }

    /// One run.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn run(&self, run: Uuid) -> anyhow::Result<Run> {
        self.get(&format!("/runs/{run}")).await
    }

    /// Lapses of a job.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn lapses(&self, job: Uuid) -> anyhow::Result<Vec<Lapse>> {
        self.all(&format!("/jobs/{job}/lapses")).await
    }

    /// Slots of a job.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn slots(&self, job: Uuid) -> anyhow::Result<Vec<Slot>> {
        self.all(&format!("/slots?job={job}")).await
    }

    /// Processes of a daemon job, newest first.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn processes(&self, job: Uuid) -> anyhow::Result<Vec<Process>> {
        self.all(&format!("/processes?job={job}")).await
    }

    /// Creates a job.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn create(&self, group: Uuid, spec: JobSpec) -> anyhow::Result<Job> {
        self.call(
            Method::POST,
            "/jobs",
            &JobCreate {
                group_id: group,
                spec,
                is_paused: false,
            },
        )
        .await
    }

    /// Saves a new version of a job.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn replace(&self, job: &Job, spec: JobSpec) -> anyhow::Result<Job> {
        let path = format!("/jobs/{}", job.id);
        let etag = format!("\"{}\"", job.version);
        let (status, text) = self
            .try_call(
                Method::PUT,
                &path,
                Some(&JobReplace { spec }),
                &[("If-Match", &etag)],
            )
            .await?;
        ensure!(status.is_success(), "PUT {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// `pause`, `resume`: an action on a job that answers the job.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn act(&self, job: Uuid, action: &str) -> anyhow::Result<Job> {
        self.call(
            Method::POST,
            &format!("/jobs/{job}/{action}"),
            &serde_json::json!({}),
        )
        .await
    }

    /// Runs a job now.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn run_now(&self, job: Uuid) -> anyhow::Result<Vec<Uuid>> {
        let answer: RunNowAnswer = self
            .call(
                Method::POST,
                &format!("/jobs/{job}/run"),
                &RunNow::default(),
            )
            .await?;
        Ok(answer.run_ids)
    }

    /// Asks for the end of a run.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn kill(&self, run: Uuid) -> anyhow::Result<Run> {
        self.call(
            Method::POST,
            &format!("/runs/{run}/kill"),
            &serde_json::json!({}),
        )
        .await
    }

    /// Gives up a run of which nobody knows whether it is alive.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn release(&self, run: Uuid) -> anyhow::Result<Run> {
        self.call(
            Method::POST,
            &format!("/runs/{run}/release"),
            &serde_json::json!({}),
        )
        .await
    }

    /// Mints a join token.
    ///
    /// # Errors
    /// The center refuses.
    pub async fn join_token(&self, request: &JoinTokenCreate) -> anyhow::Result<JoinToken> {
        self.call(Method::POST, "/agents/join-tokens", request)
            .await
    }

    /// Everything that a life wrote to its standard output and error, as stored so far, and whether it is complete.
    ///
    /// # Errors
    /// See [`Api::get`].
    pub async fn output(&self, life: Uuid) -> anyhow::Result<(String, bool)> {
        let mut text = String::new();
        let mut from = 0;
        loop {
            let piece: OutputPiece = self.get(&format!("/outputs/{life}?from={from}")).await?;
            for chunk in piece
                .chunks
                .iter()
                .filter(|chunk| chunk.stream != OutputStream::Gap)
            {
                text.push_str(&chunk.text);
            }
            if piece.is_complete || piece.next_from == from {
                return Ok((text, piece.is_complete));
            }
            from = piece.next_from;
        }
    }
}
