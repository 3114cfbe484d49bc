//! Connections: how many there are, how long they may take, and when they end.

use super::job::Quit;
use super::route::{self, State};
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use hyper::rt::{Read, ReadBufCursor, Timer, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Sleep, sleep, timeout};

/// Most connections, and most of them that may be busy with other requests than for `/health`.
const MAX_CONNECTIONS: usize = 64;
const MAX_BUSY: usize = MAX_CONNECTIONS - 4;

/// Longest time for a request's line and headers, and for a client to take what it is sent: with
/// each byte that it takes, it has a little more again.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
const BYTE_PATIENCE: Duration = Duration::from_millis(1);

/// Most bytes and lines of headers.
const HEADER_BYTES: usize = 16 << 10;
const HEADER_LINES: usize = 64;

/// How old a connection is at least that is closed for want of descriptors.
const LEAST_IDLE: Duration = Duration::from_millis(100);

/// How often the server looks whether it is to end.
const TICK: Duration = Duration::from_millis(200);

/// Longest time that answers may take once the server is to end.
const DRAIN: Duration = Duration::from_secs(5);

/// The connections of a server.
#[derive(Default)]
pub(super) struct Connections {
    open: Mutex<Vec<Open>>,
    /// Requests that are being answered, but for `/health`.
    busy: AtomicUsize,
}

/// An open connection.
struct Open {
    number: u64,
    began: Instant,
    /// Requests on it that are being answered.
    requests: Arc<AtomicUsize>,
    /// `None` until it has begun.
    abort: Option<AbortHandle>,
}

/// A request that is being answered.
pub(super) struct Busy {
    requests: Arc<AtomicUsize>,
    state: Option<Arc<State>>,
}

impl Busy {
    /// A request on a connection; `None` where there are as many as there may be. One for
    /// `/health` always has a place.
    pub(super) fn begin(
        state: &Arc<State>,
        requests: &Arc<AtomicUsize>,
        is_health: bool,
    ) -> Option<Self> {
        let busy = &state.connections.busy;
        if !is_health && busy.fetch_add(1, Ordering::Relaxed) >= MAX_BUSY {
            busy.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        requests.fetch_add(1, Ordering::Relaxed);
        let state = (!is_health).then(|| state.clone());
        Some(Self { requests: requests.clone(), state })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
        if let Some(state) = &self.state {
            state.connections.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> usize {
        self.open().len()
    }

    /// Closes the oldest connection on which nothing is asked, if it is at least `age` old. Returns
    /// whether there was one.
    fn close_one(&self, age: Duration) -> bool {
        let closed = {
            let mut open = self.open();
            let idle = |it: &Open| {
                let is_old = it.began.elapsed() >= age;
                is_old && it.abort.is_some() && it.requests.load(Ordering::Relaxed) == 0
            };
            open.iter().position(idle).map(|index| open.remove(index))
        };
        closed.and_then(|closed| closed.abort).map(|abort| abort.abort()).is_some()
    }
}

/// Accepts connections until `ends`, and lets what is being answered then go on for a while.
/// Returns whether all was answered.
pub(super) async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    ends: &AtomicBool,
    quit: &Quit,
) -> bool {
    let (drain, drains) = watch::channel(false);
    let mut number = 0;
    while !ends.load(Ordering::Relaxed) {
        match timeout(TICK, listener.accept()).await {
            Ok(Ok((stream, _))) => {
                number += 1;
                begin(stream, number, &state, drains.clone());
            }
            // No descriptor is left, or the client has gone. Linux says the former also when nobody
            // waits: what was accepted last has not had its turn yet.
            Ok(Err(_)) => match state.connections.close_one(LEAST_IDLE) {
                true => tokio::task::yield_now().await,
                false => sleep(Duration::from_millis(20)).await,
            },
            Err(_) => {}
        }
    }
    drop(listener);
    drop(drains);
    let deadline = Instant::now() + DRAIN;
    quit.begin(deadline);
    drain.send_replace(true);
    while state.connections.count() > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
    }
    state.connections.count() == 0
}

/// Begins to answer what comes on `stream`.
fn begin(stream: TcpStream, number: u64, state: &Arc<State>, drains: watch::Receiver<bool>) {
    let connections = &state.connections;
    if connections.count() >= MAX_CONNECTIONS && !connections.close_one(Duration::ZERO) {
        return;
    }
    let requests = Arc::new(AtomicUsize::new(0));
    connections.open().push(Open {
        number,
        began: Instant::now(),
        requests: requests.clone(),
        abort: None,
    });
    state.metrics.set_connections(connections.count());
    let task = tokio::spawn(follow(stream, number, state.clone(), requests, drains));
    let abort = task.abort_handle();
    if let Some(open) = connections.open().iter_mut().find(|open| open.number == number) {
        open.abort = Some(abort);
    }
}

/// A connection that is no more once this is dropped.
struct Registered {
    number: u64,
    state: Arc<State>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let connections = &self.state.connections;
        connections.open().retain(|open| open.number != self.number);
        self.state.metrics.set_connections(connections.count());
    }
}

/// Answers what comes on `stream` until it ends.
async fn follow(
    stream: TcpStream,
    number: u64,
    state: Arc<State>,
    requests: Arc<AtomicUsize>,
    mut drains: watch::Receiver<bool>,
) {
    let _registered = Registered { number, state: state.clone() };
    // Small parts of a stream are not to wait for more.
    let _ = stream.set_nodelay(true);
    let service =
        service_fn(move |request| route::answer(state.clone(), requests.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer)
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADER_LINES)
        .serve_connection(Patient::new(stream), service);
    let mut connection = pin!(connection);
    let mut ends = pin!(async move {
        // The sender outlives the connections.
        let _ = drains.wait_for(|drains| *drains).await;
    });
    let mut is_ending = false;
    // What a client has done wrong is its own affair.
    let _ = poll_fn(|context| {
        if !is_ending && ends.as_mut().poll(context).is_ready() {
            is_ending = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    })
    .await;
}

/// A stream whose client must take what it is sent.
struct Patient {
    stream: TcpStream,
    /// How long it may take nothing.
    patience: Duration,
    /// Since when it takes nothing, and until when it may.
    blocked: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patient {
    const fn new(stream: TcpStream) -> Self {
        Self { stream, patience: WRITE_PATIENCE, blocked: None }
    }

    /// It has taken `count` bytes.
    fn took(&mut self, count: usize) {
        if let Some((since, _)) = self.blocked.take() {
            self.patience = self.patience.saturating_sub(since.elapsed());
        }
        let more = BYTE_PATIENCE.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        self.patience = self.patience.saturating_add(more).min(WRITE_PATIENCE);
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        let room = buffer.remaining().min(bytes.len());
        let mut read = ReadBuf::new(&mut bytes[..room]);
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut read);
        if let Poll::Ready(Ok(())) = polled {
            buffer.put_slice(read.filled());
        }
        polled
    }
}

impl Write for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(taken) = &polled {
            self.took(*taken.as_ref().unwrap_or(&0));
            return polled;
        }
        let patience = self.patience;
        let (_, end) =
            self.blocked.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(patience))));
        match end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Tokio's clock for hyper.
#[derive(Clone, Copy)]
struct TokioTimer;

struct TokioSleep(Pin<Box<Sleep>>);

impl Future for TokioSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl hyper::rt::Sleep for TokioSleep {}

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(TokioSleep(Box::pin(sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(TokioSleep(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }
}
