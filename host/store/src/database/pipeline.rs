//! What goes to PostgreSQL together: statements wait here until somebody needs an answer, and then
//! cost one round trip.
//!
//! A connection can turn out to be broken when the first of them are sent, as after a restart of
//! the server. Nothing is done then, so they are sent once more on a new connection.

use std::{
    ffi::CString,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{
    QueryResult,
    result::{DatabaseErrorKind, Error},
};

use super::{
    libpq::{Answer, AnswerKind, Libpq, OnServer},
    round_trips::RoundTrips,
    server_error::{self, server_error},
};

/// How long it is tried to connect again, and the pause in between.
const PATIENCE: Duration = Duration::from_millis(3500);
const PAUSE: Duration = Duration::from_millis(100);

/// How much may wait: what is sent in one piece is kept in memory until it is answered.
const MOST: usize = 64;
const MOST_BYTES: usize = 256 * 1024;

/// After so long without use, what begins a transaction and what ends it are not sent together: if
/// the answer were lost, nobody would know whether it was stored.
const LONG_UNUSED: Duration = Duration::from_secs(10);

/// Makes a connection like the one before.
pub(super) type Reconnect = Arc<dyn Fn() -> Result<Libpq, String> + Send + Sync>;

/// A statement, and the name under which it is prepared.
pub(super) struct Statement {
    /// `None` where it is sent with its text each time.
    name: Option<CString>,
    sql: CString,
    types: Vec<u32>,
    /// The session that has it prepared: 0 is none.
    prepared_in: AtomicU64,
}

impl Statement {
    /// # Errors
    /// When the text holds a NUL.
    pub(super) fn new(name: Option<String>, sql: impl Into<Vec<u8>>, types: Vec<u32>) -> QueryResult<Self> {
        let name = name.map(CString::new).transpose()?;
        Ok(Self { name, sql: CString::new(sql)?, types, prepared_in: AtomicU64::new(0) })
    }
}

/// What a statement is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It begins the transaction.
    Begin,
    /// It begins the savepoint at this depth.
    Savepoint(u32),
    /// It ends the transaction.
    Commit,
    /// Its answer is the id of the current data key.
    CurrentKey,
    /// It fails if another data key is current than the transaction seals under.
    ExpectedKey,
    /// Anything else.
    Run,
}

/// One message to the server.
enum Message<'a> {
    /// Prepares a statement under its name.
    Prepare(&'a Statement),
    Execute(&'a Waiting),
}

/// A statement that was not sent yet.
struct Waiting {
    statement: Arc<Statement>,
    values: Vec<Option<Vec<u8>>>,
    purpose: Purpose,
}

/// What the connection is used for at present.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing is known of it, so nothing is sent twice.
    Any,
    /// Nothing is changed.
    Read,
    /// All is one transaction.
    Transaction,
}

/// A connection, and what was not sent yet.
pub(super) struct Pipeline {
    libpq: Libpq,
    reconnect: Reconnect,
    round_trips: RoundTrips,
    /// Counts connections, from 1.
    session: u64,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    used_for: Use,
    /// Whether the server has answered since the present use began.
    has_answered: bool,
    used_at: Instant,
    /// The data key that is current until the transaction ends, if that was asked for.
    current_key: Option<Vec<u8>>,
    /// What fails all that is asked until the transaction ends.
    failure: Option<String>,
    /// Whether the last commit that was answered has stored anything.
    has_committed: bool,
    /// Whether the present use has failed because another data key is current.
    has_other_key: bool,
}

impl Pipeline {
    pub(super) fn new(libpq: Libpq, reconnect: Reconnect, round_trips: RoundTrips) -> Self {
        Self {
            libpq,
            reconnect,
            round_trips,
            session: 1,
            waiting: Vec::new(),
            waiting_bytes: 0,
            used_for: Use::Any,
            has_answered: false,
            used_at: Instant::now(),
            current_key: None,
            failure: None,
            has_committed: false,
            has_other_key: false,
        }
    }

    /// A new use of the connection begins. False if the server has closed it meanwhile.
    pub(super) fn begin_use(&mut self, used_for: Use) -> bool {
        self.forget();
        self.end_transaction();
        (self.used_for, self.has_answered, self.has_other_key) = (used_for, false, false);
        !self.libpq.was_closed()
    }

    pub(super) fn process_id(&self) -> i32 {
        self.libpq.process_id()
    }

    /// What the server said last of the transaction.
    pub(super) fn on_server(&self) -> OnServer {
        self.libpq.on_server()
    }

    /// Whether the beginning of the transaction waits to be sent.
    pub(super) fn is_unsent(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.purpose == Purpose::Begin)
    }

    /// Whether nothing but what begins the transaction waits.
    pub(super) fn has_only_begun(&self) -> bool {
        self.is_unsent() && !self.has_statements()
    }

    /// Whether a statement waits that neither begins nor ends anything.
    pub(super) fn has_statements(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.purpose == Purpose::Run)
    }

    /// Forgets what was not sent.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Forgets what was not sent since a savepoint began. Returns whether that was not sent either.
    pub(super) fn forget_since(&mut self, depth: u32) -> bool {
        let at = self.waiting.iter().position(|waiting| waiting.purpose == Purpose::Savepoint(depth));
        match at {
            Some(at) => self.waiting.truncate(at),
            None => self.forget(),
        }
        at.is_some()
    }

    /// The transaction has ended.
    pub(super) fn end_transaction(&mut self) {
        (self.current_key, self.failure) = (None, None);
    }

    /// Whether the commit that was answered has stored the transaction. PostgreSQL rolls one back
    /// in which a statement has failed, and says so then.
    pub(super) fn take_commit(&mut self) -> bool {
        std::mem::take(&mut self.has_committed)
    }

    /// Fails all that is asked until the transaction ends.
    pub(super) fn fail(&mut self, said: String) {
        self.failure.get_or_insert(said);
    }

    /// Whether the present use has failed because another data key is current than it seals under.
    pub(super) const fn has_other_key(&self) -> bool {
        self.has_other_key
    }

    /// Has a statement wait.
    pub(super) fn push(&mut self, statement: &Arc<Statement>, values: Vec<Option<Vec<u8>>>, purpose: Purpose) {
        self.waiting_bytes += values.iter().flatten().map(Vec::len).sum::<usize>();
        self.waiting.push(Waiting { statement: statement.clone(), values, purpose });
    }

    /// Sends what waits if it is much.
    pub(super) fn flush_if_much(&mut self) -> QueryResult<()> {
        let is_much = self.waiting.len() > MOST || self.waiting_bytes > MOST_BYTES;
        if is_much { self.flush().map(drop) } else { Ok(()) }
    }

    /// The id of the data key that is current until the transaction ends; `None` where nobody has
    /// asked.
    pub(super) fn current_key(&mut self) -> QueryResult<Option<Vec<u8>>> {
        if self.waiting.iter().any(|waiting| waiting.purpose == Purpose::CurrentKey) {
            self.flush()?;
        }
        Ok(self.current_key.clone())
    }

    /// Runs statements without parameters, and waits for the answer to all.
    pub(super) fn run(&mut self, sql: &str) -> QueryResult<()> {
        self.flush()?;
        self.check()?;
        let sql = CString::new(sql)?;
        self.round_trips.add();
        let answer = self.libpq.run(&sql);
        self.has_answered = true;
        self.used_at = Instant::now();
        match answer {
            Some(answer) if answer.kind() == AnswerKind::Done => Ok(()),
            Some(answer) => Err(server_error(&answer, self.libpq.is_lost())),
            None => Err(self.lost()),
        }
    }

    /// Sends what waits, and returns the answer to the last statement before a commit.
    ///
    /// # Errors
    /// Of the first statement that has failed. None of those after it has run.
    pub(super) fn flush(&mut self) -> QueryResult<Option<Answer>> {
        self.check()?;
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let mut answer = self.exchange_all(&waiting);
        if self.libpq.is_lost() && self.may_be_sent_again(&waiting) && self.connect_again() {
            answer = self.exchange(&waiting);
        }
        self.has_answered |= !self.libpq.is_lost();
        self.used_at = Instant::now();
        answer
    }

    fn check(&self) -> QueryResult<()> {
        match &self.failure {
            Some(said) => Err(Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(said.clone()))),
            None => Ok(()),
        }
    }

    /// On a connection that may be broken, the commit waits until the rest has been answered.
    fn exchange_all(&mut self, waiting: &[Waiting]) -> QueryResult<Option<Answer>> {
        let is_in_doubt = !self.has_answered && self.used_at.elapsed() > LONG_UNUSED;
        match waiting.split_last() {
            Some((commit, rest)) if is_in_doubt && commit.purpose == Purpose::Commit && !rest.is_empty() => {
                let answer = self.exchange(rest).or_else(|error| {
                    let again = self.libpq.is_lost() && self.connect_again();
                    if again { self.exchange(rest) } else { Err(error) }
                })?;
                self.has_answered = true;
                self.exchange(std::slice::from_ref(commit)).map(|_| answer)
            }
            _ => self.exchange(waiting),
        }
    }

    fn exchange(&mut self, waiting: &[Waiting]) -> QueryResult<Option<Answer>> {
        let messages = self.messages(waiting);
        self.round_trips.add();
        let is_sent = self.libpq.begin_pipeline()
            && messages.iter().all(|message| message.send(&mut self.libpq))
            && self.libpq.synchronize();
        if !is_sent {
            return Err(self.lost());
        }
        let (mut last, mut failure) = (None, None);
        for message in messages {
            match self.answer_to_one() {
                Some(answer) if answer.kind() == AnswerKind::Done => {
                    self.note(&message, &answer);
                    last = Some(answer).filter(|_| message.has_answer()).or(last);
                }
                Some(answer) if answer.kind() == AnswerKind::Skipped => {}
                Some(answer) => {
                    self.has_other_key |= message.is_for(Purpose::ExpectedKey) && !self.libpq.is_lost();
                    failure.get_or_insert_with(|| server_error(&answer, self.libpq.is_lost()));
                }
                None => drop(failure.get_or_insert_with(|| self.lost())),
            }
            if self.libpq.is_lost() {
                return Err(failure.unwrap_or_else(|| self.lost()));
            }
        }
        let is_at_end = self.libpq.answer().is_some_and(|answer| answer.kind() == AnswerKind::Synchronized);
        if !is_at_end || !self.libpq.end_pipeline() {
            return Err(failure.unwrap_or_else(|| self.lost()));
        }
        failure.map_or(Ok(last), Err)
    }

    /// What is sent for statements: each is prepared before its first use in the session.
    fn messages<'a>(&self, waiting: &'a [Waiting]) -> Vec<Message<'a>> {
        let mut messages = Vec::with_capacity(waiting.len() + 2);
        for (at, one) in waiting.iter().enumerate() {
            let statement = &one.statement;
            let is_prepared = statement.name.is_none()
                || statement.prepared_in.load(Ordering::Relaxed) == self.session
                || waiting[..at].iter().any(|before| Arc::ptr_eq(&before.statement, statement));
            if !is_prepared {
                messages.push(Message::Prepare(statement));
            }
            messages.push(Message::Execute(one));
        }
        messages
    }

    fn answer_to_one(&mut self) -> Option<Answer> {
        let first = self.libpq.answer()?;
        // After the answer to a statement libpq says that there is no other.
        while !self.libpq.is_lost() && self.libpq.answer().is_some() {}
        Some(first)
    }

    fn note(&mut self, message: &Message<'_>, answer: &Answer) {
        match message {
            Message::Prepare(statement) => statement.prepared_in.store(self.session, Ordering::Relaxed),
            Message::Execute(waiting) if waiting.purpose == Purpose::CurrentKey && answer.rows() > 0 => {
                self.current_key = answer.value(0, 0).map(<[u8]>::to_vec);
            }
            Message::Execute(waiting) if waiting.purpose == Purpose::Commit => {
                self.has_committed = answer.command() == "COMMIT";
            }
            Message::Execute(_) => {}
        }
    }

    /// Whether nothing can have been done by what was sent.
    fn may_be_sent_again(&self, waiting: &[Waiting]) -> bool {
        let has = |purpose| waiting.iter().any(|waiting| waiting.purpose == purpose);
        !self.has_answered
            && match self.used_for {
                Use::Any => false,
                Use::Read => true,
                Use::Transaction => has(Purpose::Begin) && !has(Purpose::Commit),
            }
    }

    fn connect_again(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            match (self.reconnect)() {
                Ok(libpq) => {
                    (self.libpq, self.session) = (libpq, self.session + 1);
                    return true;
                }
                Err(error) if Instant::now() < until => tracing::debug!(error, "connecting again"),
                Err(_) => return false,
            }
            sleep(PAUSE);
        }
    }

    fn lost(&self) -> Error {
        server_error::lost(self.libpq.said())
    }
}

impl Message<'_> {
    /// Whether somebody reads its answer. On a new connection the commit is prepared after the
    /// statement that it is sent with.
    fn has_answer(&self) -> bool {
        matches!(self, Self::Execute(waiting) if waiting.purpose != Purpose::Commit)
    }

    fn is_for(&self, purpose: Purpose) -> bool {
        matches!(self, Self::Execute(waiting) if waiting.purpose == purpose)
    }

    fn send(&self, libpq: &mut Libpq) -> bool {
        match self {
            Self::Prepare(Statement { name, sql, types, .. }) => {
                name.as_ref().is_some_and(|name| libpq.prepare(name, sql, types))
            }
            Self::Execute(Waiting { statement, values, .. }) => match &statement.name {
                Some(name) => libpq.execute(name, values),
                None => libpq.query(&statement.sql, &statement.types, values),
            },
        }
    }
}
