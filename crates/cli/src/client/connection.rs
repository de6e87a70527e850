//! Requests and answers: addresses, the bearer token, paging, and the one error body.

use std::time::Duration;

use cronfleet_api::error::ErrorBody;
use cronfleet_api::page::PAGE_LIMIT_MAX;
use reqwest::header::ACCEPT;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::credentials::Credentials;
use crate::args::Options;
use crate::failure::Failure;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer (not a stream) may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection is kept for the next request, while somebody is asked whether to go on: less than the 5 s after which a
/// center closes it.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// Filters of a list: names and values.
pub(crate) type Query = Vec<(&'static str, String)>;

/// One center, and the right to talk to it.
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
}

/// A decoded answer and the JSON it came from.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// The answer.
    pub(crate) value: T,
    /// The same as it was sent, for `--json`.
    pub(crate) raw: Value,
}

/// Rows of a list, over as many pages as needed.
pub(crate) struct Listing<T> {
    /// The rows.
    pub(crate) rows: Vec<T>,
    /// The rows as they were sent, in one page, for `--json`.
    pub(crate) raw: Value,
    /// Whether the server has more rows.
    pub(crate) has_more: bool,
}

impl Client {
    /// Prepares to talk to the server that the options name, with the token of the environment or of `login`.
    pub(crate) fn new(options: &Options) -> Result<Self, Failure> {
        let server = server_url(options)?;
        let token = match std::env::var("CRONFLEET_TOKEN")
            .ok()
            .filter(|token| !token.is_empty())
        {
            Some(token) => Some(token),
            None => Credentials::load()?.token(&server_name(&server)),
        };
        Ok(Self {
            http: http(options, &server)?,
            server,
            token,
        })
    }

    /// The address as people write it, without a slash at its end.
    pub(crate) fn server(&self) -> String {
        server_name(&self.server)
    }

    /// `GET` of one thing.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
    ) -> Result<Answer<T>, Failure> {
        self.answer(self.request(Method::GET, path, query)).await
    }

    /// `POST`, `PUT` or `PATCH` with a body, answered with a thing.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, Failure> {
        self.answer(self.request(method, path, &vec![]).json(body))
            .await
    }

    /// `POST` of an empty request, answered with a thing.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Failure> {
        self.answer(self.request(Method::POST, path, &vec![])).await
    }

    /// A request with one more header, answered with a thing.
    pub(crate) async fn send_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        header: (&'static str, &str),
    ) -> Result<Answer<T>, Failure> {
        self.answer(
            self.request(method, path, &vec![])
                .json(body)
                .header(header.0, header.1),
        )
        .await
    }

    /// A request whose answer has no content.
    pub(crate) async fn act(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(), Failure> {
        let request = self.request(method, path, &vec![]);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.response(request.timeout(ANSWER_TIMEOUT))
            .await
            .map(drop)
    }

    /// `GET` of at most `limit` rows, page by page.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        limit: usize,
    ) -> Result<Listing<T>, Failure> {
        let mut rows: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut page_query = query.clone();
            let wanted = (limit - rows.len()).min(PAGE_LIMIT_MAX as usize);
            page_query.push(("limit", wanted.to_string()));
            page_query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page: Answer<Value> = self.get(path, &page_query).await?;
            if let Some(Value::Array(items)) = page.value.get_mut("items").map(Value::take) {
                rows.extend(items);
            }
            cursor = page
                .value
                .get("next_cursor")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if cursor.is_none() || rows.len() >= limit {
                break;
            }
        }
        let has_more = cursor.is_some();
        let raw = match cursor {
            Some(cursor) => json!({ "items": &rows, "next_cursor": cursor }),
            None => json!({ "items": &rows }),
        };
        let rows = rows
            .into_iter()
            .map(|row| self.decode(StatusCode::OK, row))
            .collect::<Result<_, _>>()?;
        Ok(Listing {
            rows,
            raw,
            has_more,
        })
    }

    /// `GET` of an endless answer.
    pub(crate) async fn stream(&self, path: &str, query: &Query) -> Result<Response, Failure> {
        let request = self
            .request(Method::GET, path, query)
            .header(ACCEPT, "text/event-stream");
        self.response(request).await
    }

    /// The failure of a connection that broke.
    pub(crate) fn unreachable(&self, source: reqwest::Error) -> Failure {
        Failure::Unreachable {
            server: self.server(),
            source: source.without_url(),
        }
    }

    fn request(&self, method: Method, path: &str, query: &Query) -> RequestBuilder {
        let mut url = self.server.clone();
        url.set_path(&format!(
            "{}/api/v1{path}",
            self.server.path().trim_end_matches('/')
        ));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Answer<T>, Failure> {
        let response = self.response(request.timeout(ANSWER_TIMEOUT)).await?;
        let status = response.status();
        let bytes = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(error))?;
        let raw: Value = serde_json::from_slice(&bytes).map_err(|_| self.foreign(status))?;
        Ok(Answer {
            value: self.decode(status, raw.clone())?,
            raw,
        })
    }

    /// Sends a request and turns every status of 400 and above into its failure.
    async fn response(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Ok(response);
        }
        let bytes = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(error))?;
        let Ok(body) = serde_json::from_slice::<ErrorBody>(&bytes) else {
            return Err(self.foreign(status));
        };
        if status == StatusCode::UNAUTHORIZED && body.error.code == "auth.required" {
            return Err(Failure::NotSignedIn {
                server: self.server(),
            });
        }
        Err(Failure::Server {
            status: status.as_u16(),
            detail: Box::new(body.error),
        })
    }

    fn decode<T: DeserializeOwned>(&self, status: StatusCode, raw: Value) -> Result<T, Failure> {
        serde_json::from_value(raw).map_err(|_| self.foreign(status))
    }

    fn foreign(&self, status: StatusCode) -> Failure {
        Failure::Foreign {
            server: self.server(),
            status: status.as_u16(),
        }
    }
}

fn server_name(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

/// The address in the options; refused when passwords and tokens would travel in the clear to another machine.
fn server_url(options: &Options) -> Result<Url, Failure> {
    let refuse = || Failure::Input {
        field: "--server".to_owned(),
        message: format!("{:?} is not the address of a center", options.server),
        hint: "write http://127.0.0.1:8780 or https://cronfleet.example.org".to_owned(),
    };
    let url = Url::parse(&options.server).map_err(|_| refuse())?;
    let is_local = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => return Err(refuse()),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local || options.insecure_http => Ok(url),
        "http" => Err(Failure::InsecureServer {
            server: server_name(&url),
        }),
        _ => Err(refuse()),
    }
}

/// A client for one server. Without `--ca-file` it trusts the authorities of the machine, which need not have any for plain HTTP.
fn http(options: &Options, server: &Url) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cronfleet/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_MAX)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &options.ca_file {
        let pem = std::fs::read(path).map_err(|source| Failure::File {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| Failure::system("read the certificates of --ca-file", error))?;
        builder = builder.tls_certs_only(certificates);
    } else if server.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|error| Failure::system("prepare a connection", error))
}
