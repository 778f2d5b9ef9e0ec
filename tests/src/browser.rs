//! A headless Chromium, steered over its DevTools protocol: the keys are real key events.

use crate::wait_for;
use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Message, WebSocket, connect};

/// Chromium's program.
///
/// # Errors
/// When there is none.
pub fn chromium() -> anyhow::Result<PathBuf> {
    let names = ["/usr/bin/chromium", "/usr/bin/google-chrome", "/usr/bin/chromium-browser"];
    names.map(PathBuf::from).into_iter().find(|p| p.exists()).context("no Chromium; `make test` installs it")
}

/// Chromium without a window and without calls home, on a profile of its own.
///
/// # Errors
/// When there is none.
pub fn headless(profile: &TempDir) -> anyhow::Result<Command> {
    let mut command = Command::new(chromium()?);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--disable-quic"])
        .arg(format!("--user-data-dir={}", profile.path().display()));
    Ok(command)
}

/// A page in a browser that ends with the test.
pub struct Page {
    browser: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// Everything that the browser has to complain of or that the page wrote: its console at every level, uncaught exceptions
    /// and rejections, the browser's log (content policy, refused loads), requests that failed or were answered by an error,
    /// and the browser's issues.
    pub console: Vec<String>,
    /// Addresses of the requests under way, by the browser's number.
    requests: HashMap<String, String>,
    _profile: TempDir,
}

/// How long an answer of the browser may take.
const ANSWER: Duration = Duration::from_secs(30);

impl Page {
    /// Opens `url`.
    ///
    /// # Errors
    /// When there is no browser or it does not answer.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        Self::open_with(url, &[])
    }

    /// Opens `url` in a browser with further `options`.
    ///
    /// # Errors
    /// When there is no browser or it does not answer.
    pub fn open_with(url: &str, options: &[&str]) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = headless(&profile)?;
        command.args(["--remote-debugging-port=0", "--window-size=1600,900", "about:blank"]).args(options);
        let browser = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut browser = Some(browser);
        let opened = Self::attach(&mut browser, profile, url);
        // A browser that could not be attached to must not outlive the test.
        if let Some(mut left) = browser {
            let _ = left.kill();
            let _ = left.wait();
        }
        opened
    }

    fn attach(browser: &mut Option<Child>, profile: TempDir, url: &str) -> anyhow::Result<Self> {
        let port_file = profile.path().join("DevToolsActivePort");
        let socket = wait_for("the browser", Duration::from_secs(30), || {
            let text = std::fs::read_to_string(&port_file).ok()?;
            let port = text.lines().next()?;
            // Where there is no IPv4 address, the browser listens at the other one.
            let mut hosts = ["127.0.0.1", "[::1]"].into_iter();
            let list = |host| ureq::get(format!("http://{host}:{port}/json")).call().ok();
            let pages: Value = hosts.find_map(list)?.body_mut().read_json().ok()?;
            let page = pages.as_array()?.iter().find(|p| p["type"] == "page")?;
            connect(page["webSocketDebuggerUrl"].as_str()?).ok()
        })?
        .0;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(ANSWER))?;
        }
        let browser = browser.take().context("no browser")?;
        let (console, requests) = (Vec::new(), HashMap::new());
        let mut page = Self { browser, socket, calls: 0, console, requests, _profile: profile };
        for domain in ["Runtime.enable", "Log.enable", "Network.enable", "Audits.enable", "Page.enable"] {
            page.call(domain, &json!({}))?;
        }
        // As if a person had clicked into the page.
        page.call("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }))?;
        page.go(url)?;
        Ok(page)
    }

    /// Goes to `url`.
    ///
    /// # Errors
    /// When the browser cannot load it.
    pub fn go(&mut self, url: &str) -> anyhow::Result<()> {
        let answer = self.call("Page.navigate", &json!({ "url": url }))?;
        match answer["errorText"].as_str() {
            Some(error) => bail!("{url}: {error}"),
            None => Ok(()),
        }
    }

    /// Runs `script` in every page that is opened from now on, before the page's own.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn prepare(&mut self, script: &str) -> anyhow::Result<()> {
        self.call("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script })).map(drop)
    }

    /// Writes a picture of the page, PNG.
    ///
    /// # Errors
    /// When the browser gives none or it cannot be written.
    pub fn screenshot(&mut self, file: &Path) -> anyhow::Result<()> {
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let picture = answer["data"].as_str().context("no picture")?;
        std::fs::write(file, BASE64_STANDARD.decode(picture)?)?;
        Ok(())
    }

    /// Calls a method of the DevTools protocol.
    ///
    /// # Errors
    /// When the browser refuses or does not answer.
    pub fn call(&mut self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let text = json!({ "id": id, "method": method, "params": parameters }).to_string();
        self.socket.send(Message::text(text))?;
        loop {
            let Message::Text(text) = self.socket.read().with_context(|| format!("{method}: no answer"))? else {
                continue;
            };
            let mut message: Value = serde_json::from_str(&text)?;
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(anyhow!("{method}: {error}")),
                    None => Ok(message["result"].take()),
                };
            }
            self.hear(message["method"].as_str().unwrap_or_default(), &message["params"]);
        }
    }

    /// Keeps what an event of the browser complains of.
    fn hear(&mut self, event: &str, told: &Value) {
        let request = told["requestId"].as_str().unwrap_or_default();
        match event {
            "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" | "Audits.issueAdded" => {
                self.console.push(told.to_string());
            }
            "Network.requestWillBeSent" => {
                self.requests.insert(request.into(), told["request"]["url"].to_string());
            }
            "Network.webSocketFrameError" => self.console.push(told.to_string()),
            // A cancelled one was given up by the page: a film of which it wanted the beginning, or the page was left.
            "Network.loadingFailed" if told["canceled"] != true => {
                let address = self.requests.get(request).map_or("?", String::as_str);
                self.console.push(format!("{address}: {}", told["errorText"]));
            }
            "Network.responseReceived" if told["response"]["status"].as_u64().is_some_and(|status| status >= 400) => {
                self.console.push(format!("{}: {}", told["response"]["url"], told["response"]["status"]));
            }
            _ => {}
        }
    }

    /// The value of an expression in the page; a promise is waited for.
    ///
    /// # Errors
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", &parameters)?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            bail!("{expression}: {thrown}");
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Errors
    /// When it never is.
    pub fn wait_until(&mut self, expression: &str) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        let guarded = format!("(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()");
        while Instant::now() < until {
            if self.evaluate(&guarded)? == true {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let shown = self.evaluate("document.body.innerText")?;
        bail!("{expression} never held; the page shows: {shown}\nconsole: {:?}", self.console)
    }

    /// Presses a key and keeps it down; `code` is the DOM's, such as `KeyW`.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn press(&mut self, code: &str) -> anyhow::Result<()> {
        self.key("keyDown", code)
    }

    /// Presses and releases a key while modifiers are held: 1 Alt, 2 Control, 4 Meta, 8 Shift, added up. With `repeats` it comes
    /// as from a key that was held before the page heard of it.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn tap_with(&mut self, code: &str, modifiers: u8, repeats: bool) -> anyhow::Result<()> {
        for kind in ["rawKeyDown", "keyUp"] {
            let repeats = repeats && kind == "rawKeyDown";
            let key = json!({ "type": kind, "code": code, "key": "Unidentified", "modifiers": modifiers, "autoRepeat": repeats });
            self.call("Input.dispatchKeyEvent", &key)?;
        }
        Ok(())
    }

    /// Releases a key.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn release(&mut self, code: &str) -> anyhow::Result<()> {
        self.key("keyUp", code)
    }

    /// Presses and releases a key.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn tap(&mut self, code: &str) -> anyhow::Result<()> {
        self.press(code)?;
        self.release(code)
    }

    fn key(&mut self, kind: &str, code: &str) -> anyhow::Result<()> {
        let key = match code {
            "Space" => " ".to_owned(),
            "ShiftLeft" => "Shift".to_owned(),
            _ => code.trim_start_matches("Key").to_lowercase(),
        };
        self.call("Input.dispatchKeyEvent", &json!({ "type": kind, "code": code, "key": key }))?;
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
