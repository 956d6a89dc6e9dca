//! One download: a source's URL to the original's bytes, or why not. Owns the connections to
//! origins and is the only user of ureq; who may be contacted is the [guard](crate::guard)'s,
//! how fast [`super::pace`]'s, and whether the bytes are a picture [`crate::picture`]'s.

mod error;
mod resolver;

pub use error::FetchError;
pub use resolver::vet;

use crate::guard::Guard;
use crate::source::Source;
use resolver::GuardedResolver;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

/// For a whole download, all hops and the last byte: three workers that wait for a dead or
/// trickling origin are back after this long.
const DEADLINE: Duration = Duration::from_secs(15);
/// Addresses of one name share this; most of the deadline is for the picture.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Cover Art Archive takes two.
const REDIRECTS_MAX: usize = 3;
/// ureq allows 128 header lines; together they fit well into this, or no origin sends them.
const HEADER_BYTES_MAX: usize = 32 * 1024;
const INPUT_BUFFER_BYTES: usize = 64 * 1024;
/// As many as there are download workers, and one host may have them all.
const IDLE_CONNECTIONS_MAX: usize = 3;
/// Apache and Node close an idle connection after 5 s. One that is used at the moment when it is
/// closed fails without the origin's fault, so it is given up before.
const IDLE_MAX: Duration = Duration::from_secs(4);

const USER_AGENT: &str =
    concat!("VinylVault/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");
/// What the decoders read; without the rest, some origins refuse to answer at all.
const ACCEPT: &str = "image/jpeg,image/png,image/webp,image/gif,*/*;q=0.1";

/// Fetches originals. One for the whole program: it keeps connections open between downloads.
///
/// Sends neither cookies nor credentials nor a `Referer`, and takes no proxy from the environment,
/// which would be asked for addresses that the guard refuses.
pub struct Origin {
    agent: Agent,
    guard: Arc<Guard>,
    body_bytes_max: u64,
    deadline: Duration,
}

/// A download between two requests: what is asked next, after so many redirects.
#[derive(Clone, Debug)]
pub struct Journey {
    here: Source,
    hops: usize,
}

/// What a request came to.
#[derive(Debug)]
pub enum Step {
    /// The bytes of the original.
    Arrived(Vec<u8>),
    /// A redirect.
    Onward(Journey),
}

impl Journey {
    pub fn to(source: &Source) -> Journey {
        Journey { here: source.clone(), hops: 0 }
    }

    /// What is asked next.
    pub fn here(&self) -> &Source {
        &self.here
    }
}

impl Origin {
    /// An original of more than `body_bytes_max` bytes, counted after decompression, is refused.
    /// Certificates are trusted that Mozilla's list trusts; the machine's own list is not asked.
    pub fn new(guard: Guard, body_bytes_max: u64) -> Origin {
        Origin::build(guard, body_bytes_max, DEADLINE, RootCerts::WebPki)
    }

    /// With another deadline for a whole download than 15 s.
    pub fn with_deadline(guard: Guard, body_bytes_max: u64, deadline: Duration) -> Origin {
        Origin::build(guard, body_bytes_max, deadline, RootCerts::WebPki)
    }

    /// Trusts only what this authority signed (a certificate in DER), and nobody on the list.
    pub fn trusting(guard: Guard, body_bytes_max: u64, authority: &[u8]) -> Origin {
        let roots = RootCerts::new_with_certs(&[Certificate::from_der(authority).to_owned()]);
        Origin::build(guard, body_bytes_max, DEADLINE, roots)
    }

    fn build(guard: Guard, body_bytes_max: u64, deadline: Duration, roots: RootCerts) -> Origin {
        let guard = Arc::new(guard);
        let config = Agent::config_builder()
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            .accept(ACCEPT)
            // Pictures are compressed already; what comes compressed all the same is unpacked.
            .accept_encoding("identity")
            .max_response_header_size(HEADER_BYTES_MAX)
            .input_buffer_size(INPUT_BUFFER_BYTES)
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .max_idle_age(IDLE_MAX)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(deadline))
            .build();
        let resolver = GuardedResolver::new(Arc::clone(&guard));
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Origin { agent, guard, body_bytes_max, deadline }
    }

    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The bytes of the original as the origin sent them, unpacked if it packed them. Takes at
    /// most the deadline, and nobody's turn: see [`Origin::step`].
    pub fn download(&self, source: &Source) -> Result<Vec<u8>, FetchError> {
        let (mut journey, ends) = (Journey::to(source), self.deadline());
        loop {
            match self.step(&journey, ends)? {
                Step::Arrived(original) => return Ok(original),
                Step::Onward(further) => journey = further,
            }
        }
    }

    /// When a download that begins now has taken too long.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// One request of a download: each hop of a redirect may be another host's, which has manners of
    /// its own to be shown. Every hop passes the guard like the source itself.
    pub fn step(&self, journey: &Journey, ends: Instant) -> Result<Step, FetchError> {
        let Journey { here, hops } = journey;
        self.guard.permits(here).map_err(FetchError::Forbidden)?;
        let response = self.ask(here, *hops, ends)?;
        let Some(location) = redirect(&response) else {
            return self.receive(here, response).map(Step::Arrived);
        };
        if *hops >= REDIRECTS_MAX {
            return Err(FetchError::RedirectLoop);
        }
        let further = follow(here, location)?;
        // Here already, so that nobody takes a turn at a host that will not be asked.
        self.guard.permits(&further).map_err(FetchError::Forbidden)?;
        Ok(Step::Onward(Journey { here: further, hops: hops + 1 }))
    }

    fn ask(&self, source: &Source, hops: usize, ends: Instant) -> Result<Response<Body>, FetchError> {
        let request = self.agent.get(source.url());
        let answer = if hops == 0 {
            // Not configured on its own: ureq would then build its TLS settings anew each time.
            request.call()
        } else {
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(FetchError::Timeout { host: source.host().to_owned() });
            }
            request.config().timeout_global(Some(left)).build().call()
        };
        answer.map_err(|error| FetchError::from_ureq(error, source))
    }

    fn receive(&self, source: &Source, response: Response<Body>) -> Result<Vec<u8>, FetchError> {
        let code = response.status().as_u16();
        if code != 200 {
            let retry_after = error::retry_after(code, response.headers(), SystemTime::now());
            return Err(FetchError::Status { code, retry_after });
        }
        let declared = response.body().content_length();
        if declared.is_some_and(|length| length > self.body_bytes_max) {
            return Err(FetchError::TooLarge { limit_bytes: self.body_bytes_max });
        }
        // Reserved, not written to: a length that is a lie costs no memory.
        let mut bytes = Vec::with_capacity(usize::try_from(declared.unwrap_or(0)).unwrap_or(0));
        let mut body = response.into_body().into_with_config().limit(self.body_bytes_max).reader();
        body.read_to_end(&mut bytes).map_err(|error| FetchError::from_ureq(error.into(), source))?;
        Ok(bytes)
    }
}

/// Where an answer sends its reader, if it does.
fn redirect(response: &Response<Body>) -> Option<&[u8]> {
    let headers: &HeaderMap = response.headers();
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| headers.get(header::LOCATION))?
        .map(|location| location.as_bytes())
}

fn follow(from: &Source, location: &[u8]) -> Result<Source, FetchError> {
    let bad = |reason: String| FetchError::BadRedirect { host: from.host().to_owned(), reason };
    let location = std::str::from_utf8(location).map_err(|_| bad("Location is not text".to_owned()))?;
    let to = from.join(location).map_err(|error| bad(error.to_string()))?;
    if from.is_https() && !to.is_https() {
        return Err(bad("from https to http".to_owned()));
    }
    Ok(to)
}
