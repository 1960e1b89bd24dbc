//! A relay between a host and PostgreSQL, on loopback. It counts round trips and statements, and it
//! can take its time, as a network does.

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, unix::AsyncFd},
    net::{TcpListener, TcpStream, UnixStream},
    sync::{mpsc, oneshot},
};

pub use crate::postgres_messages::Traffic;
use crate::postgres_messages::{Conversation, Side, TrafficCount};

/// Bytes that are read at once: more than what a host sends in one flight.
const PIECE: usize = 64 * 1024;

/// A running relay. Its connections end when this is dropped.
pub struct PostgresRelay {
    port: u16,
    database: String,
    count: Arc<TrafficCount>,
    /// Ends the relay when it is dropped.
    _end: oneshot::Sender<()>,
}

impl PostgresRelay {
    /// Starts before a server whose URL names the folder of its socket. Each direction takes
    /// `delay` longer. It runs on a thread of its own, so that a test may block its own thread.
    ///
    /// # Errors
    /// When loopback cannot be bound, or the URL is another one.
    pub fn start(url: &str, delay: Duration) -> Result<Self> {
        let (database, socket) = parts(url).context("a URL like postgres:///NAME?host=FOLDER")?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let (count, (end, is_over)) = (Arc::<TrafficCount>::default(), oneshot::channel());
        let serving = serve(listener, socket, delay, count.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = is_over => {}
                    _ = serving => {}
                }
            });
        });
        Ok(Self { port, database, count, _end: end })
    }

    /// The URL of the database through the relay.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://jackfield@127.0.0.1:{}/{}?sslmode=disable", self.port, self.database)
    }

    /// What has gone through so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.count.now()
    }
}

async fn serve(
    listener: std::net::TcpListener,
    socket: PathBuf,
    delay: Duration,
    count: Arc<TrafficCount>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let (socket, count) = (socket.clone(), count.clone());
        tokio::spawn(async move {
            // Both ends see that a connection breaks.
            let _ = relay(client, socket, delay, count).await;
        });
    }
}

/// Database and socket of `postgres:///NAME?host=FOLDER&user=jackfield`.
fn parts(url: &str) -> Option<(String, PathBuf)> {
    let (database, query) = url.strip_prefix("postgres:///")?.split_once('?')?;
    let folder = query.split('&').find_map(|pair| pair.strip_prefix("host="))?;
    Some((database.to_owned(), PathBuf::from(folder).join(".s.PGSQL.5432")))
}

async fn relay(client: TcpStream, socket: PathBuf, delay: Duration, count: Arc<TrafficCount>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = UnixStream::connect(socket).await?.into_split();
    let conversation = Arc::new(Conversation::new(count));
    tokio::try_join!(
        one_way(from_client, to_server, delay, Side::Client, &conversation),
        one_way(from_server, to_client, delay, Side::Server, &conversation),
    )?;
    Ok(())
}

/// Hands on all that comes, in its order, each piece after the delay.
async fn one_way(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
    side: Side,
    conversation: &Conversation,
) -> io::Result<()> {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let alarm = Alarm::new()?;
    let reading = read(from, side, conversation, sender);
    let writing = async {
        while let Some((at, piece)) = under_way.recv().await {
            alarm.wait_until(at + delay).await?;
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

/// Wakes at a time. The timer of tokio does so at the next whole millisecond: all pieces of all
/// connections would come out together, and then wait for each other on the processor.
struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // SAFETY: the descriptor belongs to this value, which never replaces it or closes it early.
        #[expect(unsafe_code, reason = "tokio wants a promise that the descriptor stays the same")]
        Ok(Self(unsafe { AsyncFd::register(timer) }?))
    }

    async fn wait_until(&self, time: Instant) -> io::Result<()> {
        let left = time.saturating_duration_since(Instant::now());
        let Ok(it_value) = Timespec::try_from(left) else { return Ok(()) };
        if left.is_zero() {
            return Ok(());
        }
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        let mut rung = [0; 8];
        self.0.async_io(Interest::READABLE, |timer| Ok(rustix::io::read(timer, &mut rung)?)).await?;
        Ok(())
    }
}

async fn read(
    mut from: impl AsyncRead + Unpin,
    side: Side,
    conversation: &Conversation,
    sender: mpsc::UnboundedSender<(Instant, Vec<u8>)>,
) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if from.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        conversation.heard(side, &piece);
        // Nobody takes it once the other end is closed.
        let _ = sender.send((Instant::now(), piece));
    }
}
