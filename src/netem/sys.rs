//! The system calls that the standard library does not offer, and the only unsafe code of the launcher: entering a
//! network namespace, making a TUN device, waiting on a descriptor with a limit, timer slack and priority, and
//! signals.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

/// `struct ifreq` of `linux/if.h` as `TUNSETIFF` reads it: a name and flags, padded to its full size.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

fn checked(code: libc::c_int) -> io::Result<libc::c_int> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// Runs `body` on a thread of its own inside the network namespace at `path`; what it opens there stays there.
///
/// # Errors
/// When the namespace cannot be entered, or as `body` says.
pub fn in_namespace<T: Send>(path: &Path, body: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = File::open(path)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: setns takes a descriptor, which lives until after the call, and changes this thread only; the
            // thread ends here, so that nothing else ever runs in the wrong namespace.
            checked(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
            body()
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread in the namespace ended unexpectedly")))
    })
}

/// Makes the TUN device `name` in the calling thread's namespace: IP packets without a header before them.
///
/// # Errors
/// Without the rights, without the kernel's TUN driver, or when the name is taken.
pub fn open_tun(name: &str) -> io::Result<File> {
    let file = File::options().read(true).write(true).open("/dev/net/tun")?;
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    let mut request = InterfaceRequest { name: [0; libc::IFNAMSIZ], flags, rest: [0; 22] };
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("device name {name:?} is too long")));
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads and writes one ifreq, which `request` is in layout and size; it lives until after the call.
    checked(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(file)
}

/// Waits until there is something to read, at most `limit`; false when there was not.
///
/// # Errors
/// As the system says it.
pub fn wait_readable(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let limit_ms = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one pollfd, which lives until after the call; the descriptor is borrowed, so it is open.
    match checked(unsafe { libc::poll(&raw mut poll, 1, limit_ms) }) {
        Ok(ready) => Ok(ready > 0),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(e) => Err(e),
    }
}

/// Lets the calling thread wake up on time: timers without slack and, where the rights allow, ahead of ordinary
/// threads. It only ever runs for some microseconds a packet.
pub fn on_time() {
    let parameters = libc::sched_param { sched_priority: 10 };
    // SAFETY: both act on the calling thread only; PR_SET_TIMERSLACK takes one integer and no pointer, and
    // sched_setscheduler reads one sched_param, which lives until after the call. Without the rights nothing changes.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong);
        libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters);
    }
}

/// Asks a process to end, or with `at_once` ends it. One that is gone already is no error.
pub fn end_process(pid: i32, at_once: bool) {
    if pid > 1 {
        // SAFETY: kill takes two integers; the guard keeps it to single processes, never a group or all.
        unsafe { libc::kill(pid, if at_once { libc::SIGKILL } else { libc::SIGTERM }) };
    }
}
