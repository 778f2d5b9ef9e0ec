//! What programs print, and how they end.
//!
//! Whoever reads standard output may have enough (`takeover episode list FOLDER | head -1`): then a program that only
//! lists ends quietly. One that does something, or whose status is a verdict, goes on in silence ([`or_unread`]). A full
//! disk is an error.
//!
//! How programs end: 0 when they did what they were asked to, 1 with what was wrong on standard error, 2 when the command
//! line made no sense. Ctrl-C and SIGTERM are the way to end what runs until it is told to stop (control plane, bridge,
//! operator, seat, relay, demo): 0. A job that had not come to its result yet ends with 130.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Standard output did not take what was printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(#[from] io::Error);

/// The user ended a job before it had its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// The status of a process that SIGINT ended, as shells say it: 128 + 2.
pub const INTERRUPTED: u8 = 130;

/// Writes to standard output; for `say!` and [`print_text`].
///
/// # Errors
/// [`OutputError`] when nobody reads it or there is no room.
pub fn write(text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    Ok(io::stdout().lock().write_fmt(text)?)
}

/// Writes lines that end already.
///
/// # Errors
/// As [`write`].
pub fn print_text(text: &str) -> Result<(), OutputError> {
    write(format_args!("{text}"))
}

/// What came of printing, where the program goes on although nobody reads any more: its work or its status is still
/// wanted.
///
/// # Errors
/// [`OutputError`] when there is no room.
pub fn or_unread(printed: Result<(), OutputError>) -> Result<(), OutputError> {
    match printed {
        Err(error) if is_closed(&error) => Ok(()),
        printed => printed,
    }
}

/// Prints a line on standard output; to be used with `?`, so that the program ends where nobody reads any more, unless
/// within [`or_unread`].
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a line on standard error, if anybody takes it.
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// Prints the address that a service has got, alone on a line, so that scripts can read it. A service does not depend on
/// its reader.
pub fn announce(address: &str) {
    match say!("{address}") {
        Err(error) if !is_closed(&error) => note!("takeover: {error}"),
        _ => {}
    }
}

fn is_closed(error: &OutputError) -> bool {
    error.0.kind() == io::ErrorKind::BrokenPipe
}

/// The status of a program that ended with this result, after saying on standard error what was wrong.
#[must_use]
pub fn finish(result: anyhow::Result<ExitCode>) -> ExitCode {
    // What was printed without a line's end is still to be written; the status stays where nobody reads it.
    let result = result.and_then(|code| {
        or_unread(io::stdout().flush().map_err(OutputError))?;
        Ok(code)
    });
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    if error.chain().any(|cause| cause.downcast_ref::<OutputError>().is_some_and(is_closed)) {
        return ExitCode::SUCCESS;
    }
    let status = if error.chain().any(|cause| cause.is::<Interrupted>()) { INTERRUPTED } else { 1 };
    note!("takeover: {}", sentence(&error));
    ExitCode::from(status)
}

/// Each cause once; many errors say themselves what their source says.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.ends_with(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}

/// Ends the program with [`INTERRUPTED`] at Ctrl-C or SIGTERM, after `tidy`, which may return what to say: for jobs that
/// have nothing to finish.
///
/// # Errors
/// When the system cannot start another thread.
pub fn end_on_interrupt(tidy: fn() -> &'static str) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        let asked = runtime.block_on(async {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            tokio::select! {
                done = tokio::signal::ctrl_c() => done,
                _ = terminate.recv() => Ok(()),
            }
        });
        if asked.is_ok() {
            note!("takeover: interrupted{}", tidy());
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(())
}

/// Checks that a file can be written before the work whose result it shall hold; leaves nothing behind.
///
/// # Errors
/// When it cannot, naming it.
pub fn check_writable(file: Option<&Path>) -> anyhow::Result<()> {
    use anyhow::Context;
    let Some(file) = file else { return Ok(()) };
    let is_new = match std::fs::metadata(file) {
        // Opening a pipe would end what its reader reads; folders and devices say themselves what they take.
        Ok(found) if !found.is_file() && !found.is_dir() => return Ok(()),
        Ok(_) => false,
        // A link to a file that is not there yet stays, and the file is made by the result.
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_symlink() => {
            return check_writable(link_target(file).as_deref());
        }
        Err(_) => true,
    };
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).open(file).with_context(|| format!("cannot write {}", file.display()))?;
    if is_new {
        std::fs::remove_file(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Where a link leads, one step on.
fn link_target(link: &Path) -> Option<PathBuf> {
    let target = std::fs::read_link(link).ok()?;
    Some(link.parent().unwrap_or(Path::new("")).join(target))
}

/// Checks that a folder can be made or written into; leaves nothing behind.
///
/// # Errors
/// When it cannot, naming what is in the way.
pub fn check_folder(folder: &Path) -> anyhow::Result<()> {
    let above = folder.ancestors().find(|path| path.exists() || path.as_os_str().is_empty());
    let above = above.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !above.is_dir() {
        anyhow::bail!("cannot make the folder {}: {} is a file", folder.display(), above.display());
    }
    check_writable(Some(&above.join(format!(".takeover-{}", std::process::id()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    fn output(kind: io::ErrorKind) -> anyhow::Result<ExitCode> {
        Err(OutputError(kind.into())).context("printing")
    }

    #[test]
    fn a_reader_that_has_enough_is_no_error_and_a_full_disk_is() {
        let status = |result| format!("{:?}", finish(result));
        assert_eq!(status(output(io::ErrorKind::BrokenPipe)), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(status(output(io::ErrorKind::StorageFull)), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(status(Err(Interrupted.into())), format!("{:?}", ExitCode::from(INTERRUPTED)));
    }

    #[test]
    fn what_is_not_read_stops_no_work_and_a_full_disk_does() {
        let printed = |kind: io::ErrorKind| or_unread(Err(OutputError(kind.into())));
        assert!(printed(io::ErrorKind::BrokenPipe).is_ok());
        assert!(printed(io::ErrorKind::StorageFull).is_err());
    }

    #[test]
    fn a_check_leaves_links_and_pipes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("figures.json"), folder.path().join("link"));
        std::os::unix::fs::symlink("figures.json", &link).unwrap();
        check_writable(Some(&link)).unwrap();
        assert!(link.is_symlink() && !file.exists());
        let dangling = folder.path().join("astray");
        std::os::unix::fs::symlink("no/figures.json", &dangling).unwrap();
        assert!(check_writable(Some(&dangling)).is_err() && dangling.is_symlink());

        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap())
        };
        check_writable(Some(&pipe)).unwrap();
        // Blocks until the reader is there.
        std::fs::write(&pipe, "the result").unwrap();
        assert_eq!(reader.join().unwrap(), "the result");
    }

    #[test]
    fn each_cause_is_said_once() {
        let error = anyhow::anyhow!("no room").context("cannot write x: no room").context("saving");
        assert_eq!(sentence(&error), "saving: cannot write x: no room");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("figures.json");
        check_writable(Some(&file)).unwrap();
        assert!(!file.exists());
        std::fs::write(&file, "before").unwrap();
        check_writable(Some(&file)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "before");
        for bad in [folder.path().to_owned(), folder.path().join("no/figures.json")] {
            let error = format!("{:#}", check_writable(Some(&bad)).unwrap_err());
            assert!(error.contains(&bad.display().to_string()), "{error}");
        }
    }
}
