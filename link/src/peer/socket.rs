//! The connections' sockets: those of the library's runtime, with the copies of [`Repeats`].

use super::repeat::{Repeats, concerns};
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tokio, but for the UDP sockets.
#[derive(Debug)]
pub(super) struct RepeatingRuntime;

impl Runtime for RepeatingRuntime {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn spawn_reactor(&self, pool_size: usize, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn_reactor(pool_size, future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(RepeatingSocket::new(TokioRuntime.wrap_udp_socket(socket)?)))
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, to: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async move { TokioRuntime.connect_tcp(to).await })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { TokioRuntime.resolve_host(host).await })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "tokio, repeating handshakes"
    }
}

/// A socket that sends [`Repeats`]' copies while it is read.
#[derive(Debug)]
struct RepeatingSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    owed: Mutex<Owed>,
}

#[derive(Debug)]
struct Owed {
    repeats: Repeats,
    /// Until the next copy is due; who reads waits for this, too.
    alarm: Pin<Box<Sleep>>,
    reader: Option<Waker>,
}

impl RepeatingSocket {
    fn new(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        let (repeats, alarm) = (Repeats::new(Instant::now().into_std()), Box::pin(sleep(Duration::ZERO)));
        Self { socket, owed: Mutex::new(Owed { repeats, alarm, reader: None }) }
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is due and sets the alarm.
    fn poll_copies(&self, cx: &mut Context<'_>) {
        let mut owed = self.owed();
        let Owed { repeats, alarm, reader } = &mut *owed;
        loop {
            while let Some((destination, datagram)) = repeats.take(Instant::now().into_std()) {
                let copy = Transmit { destination, ecn: None, contents: &datagram, segment_size: None, src_ip: None };
                // One that does not get away is as good as lost on the path; the next one follows.
                let _ = self.socket.poll_send(cx, &copy);
            }
            match repeats.due() {
                Some(due) => alarm.as_mut().reset(due.into()),
                None => break,
            }
            if alarm.as_mut().poll(cx).is_pending() {
                break;
            }
        }
        *reader = Some(cx.waker().clone());
    }
}

impl AsyncUdpSocket for RepeatingSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let sent = ready!(self.socket.poll_send(cx, transmit));
        if sent.is_ok() && concerns(transmit.contents) {
            let mut owed = self.owed();
            let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            for datagram in transmit.contents.chunks(size) {
                owed.repeats.sent(Instant::now().into_std(), transmit.destination, datagram);
            }
            // The reader's alarm may be due earlier now.
            owed.reader.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(sent)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.poll_copies(cx);
        let received = ready!(self.socket.poll_recv(cx, bufs, meta));
        for (buffer, meta) in bufs.iter().zip(&*meta).take(*received.as_ref().unwrap_or(&0)) {
            let datagrams = buffer.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1));
            datagrams.filter(|datagram| concerns(datagram)).for_each(|datagram| self.owed().repeats.received(datagram));
        }
        Poll::Ready(received)
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}
