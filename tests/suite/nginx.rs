//! The program behind nginx, run with the configuration that `deploy/` offers: over TLS, with a password,
//! and with clients told apart. Where nginx is not installed, this says so.

use crate::stage::{address_of, assert_cover, origin, settings};
use crate::support::folder::Folder;
use crate::support::http::{Connection, Reply, Wire};
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::Vault;
use crate::support::{not_checked, until};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const NAME: &str = "vault.example.org";
const HOST: (&str, &str) = ("Host", NAME);
/// `owner:record`.
const PASSWORD: (&str, &str) = ("Authorization", "Basic b3duZXI6cmVjb3Jk");

struct Nginx {
    address: SocketAddr,
    trust: Arc<ClientConfig>,
    process: Child,
    folder: Folder,
}

impl Nginx {
    /// In front of a vault; `None` where there is no nginx.
    fn start(vault: SocketAddr) -> Option<Nginx> {
        let folder = Folder::new();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("passwords"), "owner:{PLAIN}record\n").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        std::fs::write(folder.join("site.conf"), site(&folder, address, vault)).unwrap();
        let at = folder.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {at}/{what};"))
            .concat();
        let whole = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
             events {{ }}\nhttp {{ access_log off; {temporary} include {at}/site.conf; }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), whole).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-c").arg(folder.join("nginx.conf"));
        let process = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn() {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return None,
            process => process.unwrap(),
        };
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let trust = Arc::new(trust.unwrap().with_root_certificates(roots).with_no_client_auth());
        let nginx = Nginx { address, trust, process, folder };
        until("nginx listens", || Connection::try_open(address, None).is_ok());
        Some(nginx)
    }

    /// Over TLS, from a client of that own address.
    #[track_caller]
    fn connect(&self, own: Ipv4Addr) -> Connection {
        let over_tls = |socket| -> Box<dyn Wire> {
            let name = ServerName::try_from(NAME).unwrap();
            let session = ClientConnection::new(self.trust.clone(), name).unwrap();
            Box::new(StreamOwned::new(session, socket))
        };
        Connection::try_open_over(self.address, Some(IpAddr::V4(own)), over_tls).unwrap()
    }

    #[track_caller]
    fn get(&self, target: &str) -> Reply {
        self.connect(Ipv4Addr::LOCALHOST).request("GET", target, &[HOST, PASSWORD], b"")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- nginx\n{}---",
                std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
        }
    }
}

/// The file of `deploy/` with nothing changed but where things are.
fn site(folder: &Folder, address: SocketAddr, vault: SocketAddr) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nginx.conf");
    let mut site = std::fs::read_to_string(path).unwrap();
    let at = |name: &str| format!("{}", folder.join(name).display());
    for (offered, ours) in [
        ("server 127.0.0.1:5000;", format!("server {vault};")),
        ("listen 443 ssl", format!("listen {address} ssl")),
        ("    listen [::]:443 ssl http2;\n", String::new()),
        ("/etc/letsencrypt/live/vault.example.org/fullchain.pem", at("chain.pem")),
        ("/etc/letsencrypt/live/vault.example.org/privkey.pem", at("key.pem")),
        ("user_file /etc/nginx/vinylvault.htpasswd;", format!("user_file {};", at("passwords"))),
    ] {
        assert_eq!(site.matches(offered).count(), 1, "{offered}");
        site = site.replace(offered, &ours);
    }
    site
}

/// With the settings that the file asks for.
fn behind_nginx(origin: &Origin) -> Option<(Vault, Nginx)> {
    let vault =
        settings(origin).setting("allowed-hosts", NAME).setting("trusted-proxies", "127.0.0.1").start();
    let nginx = Nginx::start(vault.address());
    if nginx.is_none() {
        not_checked("there is no nginx here");
    }
    Some((vault, nginx?))
}

#[test]
fn behind_nginx_a_page_and_its_covers_come_as_they_are_and_only_with_the_password() {
    let origin = origin();
    let Some((vault, nginx)) = behind_nginx(&origin) else { return };
    let cover = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    for target in ["/", &cover, "/api/cache/stats"] {
        let refused = nginx.connect(Ipv4Addr::LOCALHOST).request("GET", target, &[HOST], b"");
        assert_eq!(refused.status, 401, "{target}");
    }
    let page = nginx.get("/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").is_some() && page.text().contains("</html>"));
    let through = nginx.get(&cover);
    assert_cover(&through);
    let direct = vault.get(&cover);
    assert_eq!(through.body, direct.body);
    for header in ["etag", "cache-control", "content-type", "content-length"] {
        assert_eq!(through.header(header), direct.header(header), "{header}");
        assert!(direct.header(header).is_some(), "{header}");
    }
    let tag = ("If-None-Match", direct.header("etag").unwrap());
    let known = nginx.connect(Ipv4Addr::LOCALHOST).request("GET", &cover, &[HOST, PASSWORD, tag], b"");
    assert_eq!(known.status, 304);
}

#[test]
fn behind_nginx_a_page_of_cold_covers_comes_at_once_though_it_is_one_address_that_asks() {
    const COVERS: usize = 60;
    let origin = origin();
    let paths: Vec<String> = (0..COVERS).map(|n| format!("/cover-{n}.jpg")).collect();
    for path in &paths {
        origin.on(path, Script::picture(pictures::sleeve(1, 200)));
    }
    let Some((vault, nginx)) = behind_nginx(&origin) else { return };
    let covers: Vec<String> =
        paths.iter().map(|path| address_of(&vault, &origin.url(path), "thumbnails")).collect();
    // What does not come within the vault's patience is a placeholder, and comes at the next look.
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for cover in &covers {
                scope.spawn(|| assert_eq!(nginx.get(cover).status, 200));
            }
        });
    }
    until("all covers have come", || covers.iter().all(|cover| nginx.get(cover).placeholder().is_none()));
    assert_eq!(origin.hits_in_all(), COVERS, "each was fetched once");
}

#[test]
fn behind_nginx_each_client_has_limits_of_its_own_and_cannot_call_himself_another() {
    let origin = origin();
    let Some((_vault, nginx)) = behind_nginx(&origin) else { return };
    let ask = |own: u8, said: &str| {
        let headers = [HOST, PASSWORD, ("X-Forwarded-For", said)];
        let mut connection = nginx.connect(Ipv4Addr::new(127, 79, 0, own));
        connection.request("GET", "/api/cache/stats", &headers, b"").status
    };
    for n in 0..60 {
        assert_eq!(ask(1, &format!("10.0.0.{n}")), 200);
    }
    assert_eq!(ask(1, "10.0.0.99"), 429);
    assert_eq!(ask(2, "127.79.0.1"), 200);
}

#[test]
fn behind_nginx_its_own_pages_change_something_and_other_sites_do_not() {
    let origin = origin();
    let Some((_vault, nginx)) = behind_nginx(&origin) else { return };
    let clear = |from: &str| {
        let headers = [HOST, PASSWORD, ("Content-Type", "application/json"), ("Origin", from)];
        nginx.connect(Ipv4Addr::LOCALHOST).request("POST", "/api/cache/clear", &headers, b"{}").status
    };
    assert_eq!(clear("https://vault.example.org"), 200);
    assert_eq!(clear("https://evil.example"), 403);
}
