//! Downloads over TLS from a real server with certificates of its own: whom the program trusts,
//! and what becomes of a certificate that it must not.

mod support;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::origin::pictures;
use vinylvault::cache::failure::Class;
use vinylvault::cache::origin::{FetchError, Origin};
use vinylvault::guard::Guard;
use vinylvault::source::Source;

const BODY_MAX: u64 = 100_000;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for one name, valid for a century around now.
fn certificate_for(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    params
}

/// Answers every request on every connection with the picture; lives until the test ends.
struct TlsOrigin {
    address: SocketAddr,
    handshakes: Arc<AtomicUsize>,
}

impl TlsOrigin {
    fn start(authority: &Authority, certificate: &CertificateParams, picture: Vec<u8>) -> TlsOrigin {
        let key = KeyPair::generate().unwrap();
        let chain = vec![certificate.signed_by(&key, authority).unwrap().der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = Arc::new(config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let handshakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&handshakes);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, picture, counted) = (Arc::clone(&config), picture.clone(), Arc::clone(&counted));
                thread::spawn(move || serve(stream, config, &picture, &counted));
            }
        });
        TlsOrigin { address, handshakes }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/cover.jpg", self.address.port())
    }

    fn guard(&self) -> Guard {
        let port = self.address.port();
        Guard::new(None, Some(&format!("localhost:{port},127.0.0.1:{port}"))).unwrap()
    }

    fn download(&self, trusted: &Authority) -> Result<Vec<u8>, FetchError> {
        let origin = Origin::trusting(self.guard(), BODY_MAX, trusted.der());
        origin.download(&Source::parse(&self.url()).unwrap())
    }
}

/// Until the client goes away or refuses the handshake.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, picture: &[u8], handshakes: &AtomicUsize) {
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    let mut is_first = true;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match stream.read_line(&mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        if std::mem::take(&mut is_first) {
            handshakes.fetch_add(1, Ordering::SeqCst);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", picture.len());
        let sent = stream.get_mut().write_all(&[answer.as_bytes(), picture].concat());
        if sent.and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

#[track_caller]
fn assert_distrusted(result: Result<Vec<u8>, FetchError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. }), "{error}");
    assert_eq!((error.class(), error.heals_soon()), (Class::Unreachable, false));
    assert_eq!(error.public_reason(), "the origin could not be reached");
}

#[test]
fn a_trusted_origin_is_downloaded_from_over_one_connection() {
    let authority = authority();
    let picture = pictures::jpeg(64, 64, [20, 90, 160]);
    let server = TlsOrigin::start(&authority, &certificate_for("localhost"), picture.clone());
    let origin = Origin::trusting(server.guard(), BODY_MAX, authority.der());
    let source = Source::parse(&server.url()).unwrap();
    for _ in 0..3 {
        assert_eq!(origin.download(&source).unwrap(), picture);
    }
    assert_eq!(server.handshakes.load(Ordering::SeqCst), 1);
}

#[test]
fn an_authority_that_nobody_listed_is_not_trusted() {
    let server = TlsOrigin::start(&authority(), &certificate_for("localhost"), vec![1]);
    assert_distrusted(server.download(&authority()));
    // Nor by what the program is shipped with.
    let shipped = Origin::new(server.guard(), BODY_MAX);
    assert_distrusted(shipped.download(&Source::parse(&server.url()).unwrap()));
    assert_eq!(server.handshakes.load(Ordering::SeqCst), 0);
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let authority = authority();
    let server = TlsOrigin::start(&authority, &certificate_for("other.example"), vec![1]);
    assert_distrusted(server.download(&authority));
}

/// A Pi has no clock of its own: before the network has told it the time, every certificate is of the future.
#[test]
fn outside_its_time_a_certificate_is_not_trusted_but_not_given_up() {
    let authority = authority();
    let mut expired = certificate_for("localhost");
    expired.not_after = date_time_ymd(2001, 1, 1);
    assert_distrusted(TlsOrigin::start(&authority, &expired, vec![1]).download(&authority));
    let mut early = certificate_for("localhost");
    early.not_before = date_time_ymd(2099, 1, 1);
    assert_distrusted(TlsOrigin::start(&authority, &early, vec![1]).download(&authority));
}
