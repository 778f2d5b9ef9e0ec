//! A PostgreSQL server of a test's own, in a folder of its own, that ends with the test however that ends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const PASSWORD: &str = "open-sesame-7";

pub struct Postgres {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// A fresh server that asks for a password.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut postgres = Self { folder, bin: newest_bin(), port, server: None };
        postgres.prepare();
        postgres.resume();
        postgres
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The server refuses to run as root; then it runs as the package's own user.
    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.home()).env("PGPASSWORD", PASSWORD);
        command
    }

    fn prepare(&self) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir(self.home()).unwrap();
        if is_root() {
            std::fs::set_permissions(self.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            succeeds(Command::new("chown").arg("postgres").arg(self.home()));
        }
        let password = self.folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let mut initdb = self.command("initdb");
        initdb.args(["--pgdata=data", "--username=takeover", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]);
        succeeds(initdb.arg("--locale=C").arg(format!("--pwfile={}", password.display())));
    }

    /// Starts the server again on the same port and data.
    pub fn resume(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        // The processes of a killed server may hold its memory for a moment.
        while self.server.is_none() {
            assert!(Instant::now() < until, "PostgreSQL does not start");
            let mut child = self.spawn();
            while child.try_wait().unwrap().is_none() && Instant::now() < until {
                if self
                    .command("pg_isready")
                    .args(["-q", "-h", "127.0.0.1", "-p"])
                    .arg(self.port.to_string())
                    .status()
                    .unwrap()
                    .success()
                {
                    self.server = Some(child);
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Under a shell that stops it when this process is gone.
    fn spawn(&self) -> Child {
        let run = format!(
            "'{}' -D data -p {} -h 127.0.0.1 -k '{}' -c fsync=off -c shared_buffers=16MB -c max_connections=40 & \
             server=$!; (read -r line; kill -INT $server) & wait $server",
            self.bin.join("postgres").display(),
            self.port,
            self.home().display()
        );
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "bash", "-c"]);
            command
        } else {
            let mut command = Command::new("bash");
            command.arg("-c");
            command
        };
        // A background job of a shell reads from nowhere unless it is told otherwise.
        let run = format!("exec 3<&0; {}", run.replace("read -r line;", "read -r line <&3;"));
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        command.arg(run).current_dir(self.home()).stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.home().join("data/postmaster.pid")).unwrap();
        succeeds(Command::new("kill").args(["-9", pid.lines().next().unwrap()]));
        let mut shell = self.server.take().unwrap();
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    /// A new database's address.
    pub fn database(&self, name: &str) -> String {
        let mut createdb = self.command("createdb");
        createdb.args(["-h", "127.0.0.1", "-U", "takeover", "-p"]).arg(self.port.to_string());
        succeeds(createdb.arg(name));
        self.address(name)
    }

    pub fn address(&self, name: &str) -> String {
        format!("postgres://takeover:{PASSWORD}@127.0.0.1:{}/{name}", self.port)
    }

    /// The output of a query.
    pub fn query(&self, database: &str, sql: &str) -> String {
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-U", "takeover", "-At", "-p"]).arg(self.port.to_string());
        let output = succeeds(psql.args([database, "-c", sql]));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut shell) = self.server.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

fn is_root() -> bool {
    succeeds(Command::new("id").arg("-u")).stdout.starts_with(b"0\n")
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Debian's folder of the newest version.
fn newest_bin() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is not installed: apt-get install postgresql");
    let bins = versions.flatten().map(|entry| entry.path().join("bin"));
    bins.filter(|bin| Path::new(bin).join("initdb").exists()).max().expect("no initdb in /usr/lib/postgresql/*/bin")
}
