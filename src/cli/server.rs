//! Asking the running server: where it is, one request, one JSON answer. Knows no routes; what an
//! answer means is the command's business. Contacts nobody but the own server.

use super::Failure;
use crate::cache::disk::Keeper;
use crate::config::{Config, Secret};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Method, Request, Response};

/// The server is on this machine.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// For a word that costs a server nothing: one that does not give it in so long gives none.
const GREETING_MAX: Duration = Duration::from_secs(10);
/// A clear of 100,000 files on a slow card is the longest that one request takes.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// The largest answer is 30 days of hourly history.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A server that answered, for the rest of a command.
pub(super) struct Server {
    address: SocketAddr,
    agent: Agent,
    token: Option<Secret>,
}

/// Whom a command can ask.
pub(super) enum Found {
    Server(Server),
    /// The store is there to be read, or there is none yet.
    AtRest,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
    /// How long the server wants to be left alone (429 and 503).
    pub retry_after: Option<Duration>,
}

impl Server {
    /// The server of the data folder; where that cannot be looked into, the one that listens at the
    /// configured address.
    ///
    /// # Errors
    /// When a server has the folder and does not answer, or when another command has it.
    pub fn find(config: &Config) -> Result<Found, Failure> {
        let folder = config.data_dir.display();
        match Keeper::of(&config.data_dir.join("cache")) {
            Keeper::Nobody => Ok(Found::AtRest),
            Keeper::Other => Err(Failure::Failed(format!(
                "another command works on {folder}, or its server is just starting; try again in a moment"
            ))),
            Keeper::Server(address) => {
                let server = Server::at(reachable(address), config.admin_token.clone());
                server.greet().map_err(|cause| {
                    Failure::Failed(format!("the server of {folder} at {address} does not answer: {cause}"))
                })?;
                Ok(Found::Server(server))
            }
            Keeper::Unknown => {
                let server = Server::at(reachable(config.listen), config.admin_token.clone());
                Ok(if server.greet().is_ok() { Found::Server(server) } else { Found::AtRest })
            }
        }
    }

    /// [`Server::find`] for a command that cannot do without one; `act` ends "cannot ...".
    pub fn needed(config: &Config, act: &str) -> Result<Server, Failure> {
        match Server::find(config)? {
            Found::Server(server) => Ok(server),
            Found::AtRest => Err(Failure::Failed(format!(
                "cannot {act}: no server runs on {} or listens at {}; start it with vinylvault serve",
                config.data_dir.display(),
                config.listen
            ))),
        }
    }

    fn at(address: SocketAddr, token: Option<Secret>) -> Server {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_MAX))
            .build();
        Server { address, agent: config.new_agent(), token }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// # Errors
    /// A sentence for a person when the server did not answer; a refusal is an [`Answer`].
    pub fn get(&self, target: &str) -> Result<Answer, Failure> {
        self.ask(Method::GET, target, None)
    }

    pub fn post(&self, target: &str, body: &Value) -> Result<Answer, Failure> {
        self.ask(Method::POST, target, Some(body))
    }

    pub fn delete(&self, target: &str) -> Result<Answer, Failure> {
        self.ask(Method::DELETE, target, None)
    }

    fn ask(&self, method: Method, target: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        self.exchange(method, target, body, ANSWER_MAX).map_err(|cause| {
            Failure::Failed(format!("the server at {} did not answer {target}: {cause}", self.address))
        })
    }

    fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{target}", self.address));
        if let Some(token) = &self.token {
            request = request.header("Authorization", token.bearer());
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body.to_string())?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(within)).build())?
            }
            None => {
                let request = self.agent.configure_request(request.body(())?);
                self.agent.run(request.timeout_global(Some(within)).build())?
            }
        };
        let body = read(&mut response)?;
        let retry_after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        Ok(Answer { status: response.status().as_u16(), body, retry_after })
    }

    /// Somebody else may listen where our server is expected.
    fn greet(&self) -> Result<(), String> {
        let answer =
            self.exchange(Method::GET, "/health", None, GREETING_MAX).map_err(|cause| cause.to_string())?;
        match answer.body.get("version").is_some() {
            true => Ok(()),
            false => Err("what listens there is no VinylVault".to_owned()),
        }
    }
}

impl Answer {
    /// The body of a success; the server's own sentence otherwise. `act` ends "cannot ...".
    pub fn success(self, act: &str) -> Result<Value, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let sentence = self.body.get("error").and_then(Value::as_str).unwrap_or("it gave no reason");
        Err(Failure::Failed(format!("cannot {act}: the server answered {}: {sentence}", self.status)))
    }
}

/// JSON where the answer is some; else the text, which no command of ours expects.
fn read(response: &mut Response<ureq::Body>) -> Result<Value, ureq::Error> {
    let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Where a server that listens at every address is reached from the same machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
