//! A real headless Chromium, driven through chromium-driver by the W3C WebDriver protocol and, for
//! what that lacks, Chromium's own (`goog/cdp`). Both processes and the profile end with the value.

use super::folder::Folder;
use super::http::Connection;
use base64::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: Folder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    Run,
    /// As in a browser whose owner switched JavaScript off for every site.
    Blocked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// A screen in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub is_phone: bool,
}

pub const PHONE: Screen = Screen { width: 390, height: 844, is_phone: true };
pub const TABLET: Screen = Screen { width: 820, height: 1180, is_phone: true };
pub const DESKTOP: Screen = Screen { width: 1280, height: 900, is_phone: false };

impl Browser {
    #[track_caller]
    pub fn start(scripts: Scripts) -> Browser {
        let profile = Folder::new();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // Debian's start script of Chromium reads and writes here.
            .env("HOME", profile.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there (Debian: chromium-driver)");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| announced(&line));
        // The rest is read so that the driver never writes to a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("chromedriver says its port")));
        let mut browser = Browser { driver, address, session: String::new(), _profile: profile };
        let capabilities = capabilities(scripts, browser._profile.path());
        let session = browser.ask("POST", "/session", &capabilities);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// Opens a page and waits for its `load`, which does not wait for lazy pictures.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.command("url", json!({ "url": url }));
    }

    /// The value of a function body, whether or not the page's own scripts may run. Scripts of the
    /// page's policy do not bind it.
    #[track_caller]
    pub fn eval(&self, body: &str) -> Value {
        let expression = format!("(() => {{ {body} }})()");
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.cdp("Runtime.evaluate", parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{body}: {answer}");
        answer["result"]["value"].clone()
    }

    /// A command of the Chrome DevTools Protocol.
    #[track_caller]
    pub fn cdp(&self, method: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": method, "params": parameters }))
    }

    /// From the next page on.
    pub fn show_on(&self, screen: Screen, scheme: Scheme) {
        let metrics = json!({
            "width": screen.width, "height": screen.height, "mobile": screen.is_phone,
            "deviceScaleFactor": if screen.is_phone { 2 } else { 1 },
        });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if scheme == Scheme::Dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Runs in every later page before its own scripts.
    pub fn before_each_page(&self, script: &str) {
        self.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
    }

    /// Errors and warnings of the console since the last call: scripts, policies, failed requests.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", json!({ "type": "browser" }));
        let is_complaint = |entry: &&Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
        log.as_array()
            .unwrap()
            .iter()
            .filter(is_complaint)
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// What the window shows, as PNG.
    pub fn screenshot(&self, file: &Path) {
        self.capture(file, json!({ "format": "png" }));
    }

    /// The same small enough to be shown in a README.
    pub fn screenshot_jpeg(&self, file: &Path) {
        self.capture(file, json!({ "format": "jpeg", "quality": 82 }));
    }

    fn capture(&self, file: &Path, parameters: Value) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let picture = self.cdp("Page.captureScreenshot", parameters);
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap());
        std::fs::write(file, bytes.unwrap()).unwrap();
    }

    #[track_caller]
    fn command(&self, name: &str, body: Value) -> Value {
        self.ask("POST", &format!("/session/{}/{name}", self.session), &body)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let headers = [("Content-Type", "application/json"), ("Connection", "close")];
        let reply =
            Connection::open(self.address).request(method, path, &headers, body.to_string().as_bytes());
        let answer = reply.json();
        assert_eq!(reply.status, 200, "{path}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; killing the driver alone would leave it behind.
        if !self.session.is_empty()
            && let Ok(mut connection) = Connection::try_open(self.address, None)
        {
            let _ = connection.try_request("DELETE", &format!("/session/{}", self.session), &[], b"");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port in `ChromeDriver was started successfully on port 41234.`
fn announced(line: &str) -> Option<u16> {
    line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
}

fn capabilities(scripts: Scripts, profile: &Path) -> Value {
    let mut args = vec![
        "--headless=new".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--no-first-run".to_owned(),
        // The tests' pages are the only ones to be contacted.
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        format!("--user-data-dir={}", profile.join("profile").display()),
    ];
    if rustix::process::geteuid().is_root() {
        // Chromium's own sandbox refuses to run for root, and a CI container has no other user.
        args.push("--no-sandbox".to_owned());
    }
    let setting = match scripts {
        Scripts::Run => 1,
        Scripts::Blocked => 2,
    };
    let options = json!({
        "args": args,
        "prefs": { "profile.default_content_setting_values.javascript": setting },
    });
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    } } })
}
