//! A control plane in this process and a client that sees status and body of every answer.
#![allow(dead_code)] // Each test program uses its part.

pub mod postgres;

use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use web::{Database, Server, WebConfig};

pub struct Plane {
    pub runtime: tokio::runtime::Runtime,
    pub folder: tempfile::TempDir,
    pub client: Client,
    database: Option<Database>,
    server: Option<Server>,
}

impl Plane {
    pub fn start() -> Self {
        Self::start_with(|_| ())
    }

    /// On a database of PostgreSQL.
    pub fn start_on(address: &str) -> Self {
        Self::start_both(Some(Database::parse(address).unwrap()), |_| ())
    }

    pub fn start_with(change: impl FnOnce(&mut WebConfig)) -> Self {
        Self::start_both(None, change)
    }

    fn start_both(database: Option<Database>, change: impl FnOnce(&mut WebConfig)) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = start(&runtime, folder.path(), "127.0.0.1:0", database.clone(), change);
        let client = Client::new(server.addr());
        Self { runtime, folder, client, database, server: Some(server) }
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addr()
    }

    pub fn stop(&mut self) {
        let server = self.server.take().unwrap();
        self.runtime.block_on(server.shutdown());
    }

    /// Stops and starts on the same port and folder.
    pub fn restart(&mut self) {
        self.restart_with(|_| ());
    }

    pub fn restart_with(&mut self, change: impl FnOnce(&mut WebConfig)) {
        let addr = self.addr().to_string();
        self.stop();
        self.server = Some(start(&self.runtime, self.folder.path(), &addr, self.database.clone(), change));
        self.client = Client::new(self.addr());
    }
}

/// Tests of a plane, each on SQLite, and all of them on PostgreSQL, each with a database of its own.
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(&mut super::Plane::start()); })*
        }
        #[test]
        fn all_of_it_on_postgresql() {
            let server = $crate::common::postgres::Postgres::start();
            let mut number = 0;
            $(
                println!("{}", stringify!($name));
                number += 1;
                $name(&mut Plane::start_on(&server.database(&format!("test{number}"))));
            )*
        }
    };
}

fn start(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    addr: &str,
    database: Option<Database>,
    change: impl FnOnce(&mut WebConfig),
) -> Server {
    let mut config = WebConfig { addr: addr.parse().unwrap(), database, ..WebConfig::new(folder) };
    change(&mut config);
    runtime.block_on(Server::start(config)).unwrap()
}

pub struct Client {
    base: String,
    agent: ureq::Agent,
}

impl Client {
    pub fn new(addr: SocketAddr) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        Self { base: format!("http://{addr}"), agent }
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.agent.post(format!("{}/api/v1/{path}", self.base)).send_json(body);
        read(&mut answer.unwrap())
    }

    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        read(&mut self.agent.put(format!("{}/api/v1/{path}", self.base)).send_json(body).unwrap())
    }

    /// Bytes of an upload.
    #[allow(dead_code)] // not every test binary uploads
    pub fn patch(&self, sha256: &str, offset: usize, bytes: &[u8]) -> (u16, Value) {
        self.patch_raw(&format!("{sha256}?offset={offset}"), bytes)
    }

    #[allow(dead_code)] // not every test binary uploads
    pub fn patch_raw(&self, path: &str, bytes: &[u8]) -> (u16, Value) {
        read(&mut self.agent.patch(format!("{}/api/v1/uploads/{path}", self.base)).send(bytes).unwrap())
    }

    /// Whether a body is refused for its size: by 413, or by hanging up while it is still being sent.
    #[allow(dead_code)] // not every test binary sends such a body
    pub fn refuses_by_size(&self, path: &str, body: &Value) -> bool {
        match self.agent.post(format!("{}/api/v1/{path}", self.base)).send_json(body) {
            Ok(answer) => answer.status().as_u16() == 413,
            Err(ureq::Error::Io(error)) => {
                matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset)
            }
            Err(_) => false,
        }
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        read(&mut self.agent.get(format!("{}/api/v1/{path}", self.base)).call().unwrap())
    }

    /// Status, headers and body; `path` from the root.
    pub fn raw(&self, path: &str, headers: &[(&str, &str)]) -> ureq::http::Response<Vec<u8>> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, mut body) = request.call().unwrap().into_parts();
        ureq::http::Response::from_parts(parts, body.read_to_vec().unwrap())
    }

    pub fn text(&self, path: &str) -> String {
        String::from_utf8(self.raw(path, &[]).into_body()).unwrap()
    }
}

fn read(answer: &mut ureq::http::Response<ureq::Body>) -> (u16, Value) {
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or(Value::Null))
}

pub fn mileage(vehicle: &str, policy: &str, autonomous_m: f64, manual_m: f64) -> Value {
    serde_json::json!({ "vehicle": vehicle, "policy": policy, "autonomous_m": autonomous_m, "manual_m": manual_m })
}

pub fn disengagement(id: &str, vehicle: &str, policy: &str, cause: &str) -> Value {
    serde_json::json!({ "id": id, "vehicle": vehicle, "policy": policy, "cause": cause, "at_ms": 1000, "map": "town" })
}

pub fn episode(id: &str, vehicle: &str, policy: &str, cause: &str) -> Value {
    serde_json::json!({
        "id": id, "vehicle": vehicle, "policy": policy, "cause": cause, "file": format!("{id}.mcap"), "bytes": 10,
        "sha256": "ab".repeat(32), "start_ms": 1000, "duration_s": 21.5, "map": "town",
    })
}

pub fn policy(version: &str, parent: Option<&str>, status: &str) -> Value {
    serde_json::json!({
        "version": version, "parent": parent, "sha256": "cd".repeat(32), "episodes": 3, "frames": 900, "status": status,
    })
}

pub fn evaluation(policy: &str, road: &str, miles: f64, takeovers: u64) -> Value {
    use protocol::api::{Evaluation, EvaluationRole};
    let role = match policy {
        "operator" => EvaluationRole::Operator,
        "reference" => EvaluationRole::Reference,
        _ => EvaluationRole::Policy,
    };
    let empty = Evaluation::empty(protocol::PolicyVersion::new(policy).unwrap(), role, road.into());
    serde_json::to_value(Evaluation { miles, takeovers, ..empty }.derived()).unwrap()
}
