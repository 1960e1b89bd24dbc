//! One connection of libpq, as functions that are safe to call. Knows neither diesel nor SQL.
//!
//! It is ours, since diesel's own connection waits for the answer to each statement before it sends
//! the next. Here statements are sent together in libpq's pipeline mode, as its manual has it in
//! "Pipeline Mode".
#![expect(unsafe_code, reason = "libpq is a library in C")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    num::NonZeroU32,
    ptr::{NonNull, null, null_mut},
    slice,
};

use pq_sys::{ConnStatusType, ExecStatusType, PGTransactionStatusType, PGconn, PGresult};

/// Results come as PostgreSQL's binary representation, and so do parameters go.
const BINARY: c_int = 1;

/// A connection.
pub(super) struct Libpq(NonNull<PGconn>);

// SAFETY: libpq's manual allows a connection on any thread, one at a time. Nothing here shares it.
unsafe impl Send for Libpq {}

/// What libpq knows of the transaction on the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnServer {
    NoTransaction,
    Transaction,
    FailedTransaction,
    Unknown,
}

/// The parameters of a statement, in the form that C takes.
struct Parameters {
    values: Vec<*const c_char>,
    lengths: Vec<c_int>,
    formats: Vec<c_int>,
}

impl Parameters {
    /// Holds pointers into `values`.
    fn of(values: &[Option<Vec<u8>>]) -> Self {
        let pointer = |value: &Option<Vec<u8>>| value.as_ref().map_or(null(), |value| value.as_ptr().cast());
        // A value is shorter than the largest message of PostgreSQL's protocol, 1 GiB.
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| value.len().try_into().unwrap_or(0));
        Self {
            values: values.iter().map(pointer).collect(),
            lengths: values.iter().map(length).collect(),
            formats: vec![BINARY; values.len()],
        }
    }

    fn count(&self) -> c_int {
        self.values.len().try_into().unwrap_or(0)
    }
}

impl Libpq {
    /// Connects.
    ///
    /// # Errors
    /// What libpq says of each server that it tried.
    pub(super) fn connect(conninfo: &str) -> Result<Self, String> {
        let conninfo = CString::new(conninfo).map_err(|error| error.to_string())?;
        // SAFETY: the text ends with a NUL and lives until the call returns.
        let made = unsafe { pq_sys::PQconnectdb(conninfo.as_ptr()) };
        let connection = Self(NonNull::new(made).ok_or_else(|| "out of memory".to_owned())?);
        if connection.is_lost() {
            return Err(connection.said());
        }
        // SAFETY: the connection is valid, and the function lives as long as the process.
        unsafe { pq_sys::PQsetNoticeProcessor(connection.0.as_ptr(), Some(ignore_notice), null_mut()) };
        Ok(connection)
    }

    /// The process of the server that serves this connection, as the client was told.
    pub(super) fn process_id(&self) -> i32 {
        // SAFETY: the connection is valid until it is dropped.
        unsafe { pq_sys::PQbackendPID(self.0.as_ptr()) }
    }

    /// Whether the connection cannot be used any more.
    pub(super) fn is_lost(&self) -> bool {
        // SAFETY: as above.
        unsafe { pq_sys::PQstatus(self.0.as_ptr()) != ConnStatusType::CONNECTION_OK }
    }

    /// Whether the server has closed the connection while nobody used it. Waits for nothing.
    pub(super) fn was_closed(&mut self) -> bool {
        // The first call can read the server's last words, and the second one the end.
        (0..2).any(|_| !self.takes_in())
    }

    /// Reads what has arrived. False if that is the end.
    fn takes_in(&mut self) -> bool {
        // SAFETY: as above.
        let is_read = unsafe { pq_sys::PQconsumeInput(self.0.as_ptr()) } == 1;
        // SAFETY: as above. It looks at what was read.
        let _ = unsafe { pq_sys::PQisBusy(self.0.as_ptr()) };
        is_read && !self.is_lost()
    }

    /// What the last answer of the server said of the transaction.
    pub(super) fn on_server(&self) -> OnServer {
        // SAFETY: as above.
        match unsafe { pq_sys::PQtransactionStatus(self.0.as_ptr()) } {
            PGTransactionStatusType::PQTRANS_IDLE => OnServer::NoTransaction,
            PGTransactionStatusType::PQTRANS_INTRANS => OnServer::Transaction,
            PGTransactionStatusType::PQTRANS_INERROR => OnServer::FailedTransaction,
            _ => OnServer::Unknown,
        }
    }

    /// The last thing that went wrong, in libpq's words.
    pub(super) fn said(&self) -> String {
        // SAFETY: as above. The text is copied before libpq changes it.
        unsafe { text(pq_sys::PQerrorMessage(self.0.as_ptr())) }.unwrap_or_default().to_owned()
    }

    /// Runs one or more statements without parameters, and waits for the answer to all.
    pub(super) fn run(&mut self, sql: &CStr) -> Option<Answer> {
        // SAFETY: the text ends with a NUL and lives until the call returns.
        Answer::of(unsafe { pq_sys::PQexec(self.0.as_ptr(), sql.as_ptr()) })
    }

    /// Begins to collect statements. False if the connection does not allow that.
    pub(super) fn begin_pipeline(&mut self) -> bool {
        // SAFETY: as above.
        unsafe { pq_sys::PQenterPipelineMode(self.0.as_ptr()) == 1 }
    }

    /// After the last answer. False if there are others.
    pub(super) fn end_pipeline(&mut self) -> bool {
        // SAFETY: as above.
        unsafe { pq_sys::PQexitPipelineMode(self.0.as_ptr()) == 1 }
    }

    /// Sends what was collected, with the mark at which the server answers all of it.
    pub(super) fn synchronize(&mut self) -> bool {
        // SAFETY: as above.
        unsafe { pq_sys::PQpipelineSync(self.0.as_ptr()) == 1 }
    }

    /// Collects the preparation of a statement under a name.
    pub(super) fn prepare(&mut self, name: &CStr, sql: &CStr, types: &[u32]) -> bool {
        let count = types.len().try_into().unwrap_or(0);
        // SAFETY: both texts end with a NUL, there are as many types as is said, and all of them
        // live until the call returns.
        unsafe { pq_sys::PQsendPrepare(self.0.as_ptr(), name.as_ptr(), sql.as_ptr(), count, types.as_ptr()) == 1 }
    }

    /// Collects a statement that was prepared under a name.
    pub(super) fn execute(&mut self, name: &CStr, values: &[Option<Vec<u8>>]) -> bool {
        let parameters = Parameters::of(values);
        let (connection, name, count) = (self.0.as_ptr(), name.as_ptr(), parameters.count());
        let (values, lengths) = (parameters.values.as_ptr(), parameters.lengths.as_ptr());
        let formats = parameters.formats.as_ptr();
        // SAFETY: the name ends with a NUL. The three lists have as many items as is said, each
        // value as many bytes, and all of them live until the call returns, which copies them.
        unsafe { pq_sys::PQsendQueryPrepared(connection, name, count, values, lengths, formats, BINARY) == 1 }
    }

    /// Collects a statement that is not prepared.
    pub(super) fn query(&mut self, sql: &CStr, types: &[u32], values: &[Option<Vec<u8>>]) -> bool {
        let parameters = Parameters::of(values);
        let (connection, sql, count) = (self.0.as_ptr(), sql.as_ptr(), parameters.count());
        let (lengths, formats) = (parameters.lengths.as_ptr(), parameters.formats.as_ptr());
        let (types, values) = (types.as_ptr(), parameters.values.as_ptr());
        // SAFETY: as for `execute`, with as many types as values.
        unsafe { pq_sys::PQsendQueryParams(connection, sql, count, types, values, lengths, formats, BINARY) == 1 }
    }

    /// Waits for the next answer; `None` after the last one to a statement.
    pub(super) fn answer(&mut self) -> Option<Answer> {
        // SAFETY: the connection is valid until it is dropped.
        Answer::of(unsafe { pq_sys::PQgetResult(self.0.as_ptr()) })
    }
}

impl Drop for Libpq {
    fn drop(&mut self) {
        // SAFETY: it was made by libpq, belongs to this value alone, and is not used again.
        unsafe { pq_sys::PQfinish(self.0.as_ptr()) }
    }
}

extern "C" fn ignore_notice(_: *mut c_void, _: *const c_char) {}

/// The answer to a statement.
pub(super) struct Answer(NonNull<PGresult>);

/// What kind of answer it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// The statement has run.
    Done,
    /// It has failed.
    Failed,
    /// One that was sent before it has failed.
    Skipped,
    /// The mark at the end of what was sent together.
    Synchronized,
}

/// A part of an error, by the letter of PostgreSQL's protocol.
#[derive(Clone, Copy)]
pub(super) enum Part {
    SqlState = 67,
    Message = 77,
    Detail = 68,
    Table = 116,
    Column = 99,
    Constraint = 110,
}

impl Answer {
    fn of(result: *mut PGresult) -> Option<Self> {
        NonNull::new(result).map(Self)
    }

    pub(super) fn kind(&self) -> AnswerKind {
        // SAFETY: the answer is valid until it is dropped, and nobody changes it.
        match unsafe { pq_sys::PQresultStatus(self.0.as_ptr()) } {
            ExecStatusType::PGRES_COMMAND_OK | ExecStatusType::PGRES_TUPLES_OK => AnswerKind::Done,
            ExecStatusType::PGRES_PIPELINE_ABORTED => AnswerKind::Skipped,
            ExecStatusType::PGRES_PIPELINE_SYNC => AnswerKind::Synchronized,
            _ => AnswerKind::Failed,
        }
    }

    /// Whether what was asked for is done.
    pub(super) fn is_done(&self) -> bool {
        self.kind() == AnswerKind::Done
    }

    /// A part of the error, if it is one and has that part.
    pub(super) fn part(&self, part: Part) -> Option<&str> {
        // SAFETY: as above. The text lives as long as the answer.
        unsafe { text(pq_sys::PQresultErrorField(self.0.as_ptr(), part as c_int)) }
    }

    /// The whole error in libpq's words.
    pub(super) fn said(&self) -> &str {
        // SAFETY: as above.
        unsafe { text(pq_sys::PQresultErrorMessage(self.0.as_ptr())) }.unwrap_or_default()
    }

    /// Which command has run, like `COMMIT`.
    pub(super) fn command(&self) -> &str {
        // SAFETY: as above.
        unsafe { text(pq_sys::PQcmdStatus(self.0.as_ptr())) }.unwrap_or_default()
    }

    /// How many rows were changed.
    pub(super) fn changed(&self) -> usize {
        // SAFETY: as above.
        let count = unsafe { text(pq_sys::PQcmdTuples(self.0.as_ptr())) };
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    pub(super) fn rows(&self) -> usize {
        // SAFETY: as above.
        unsafe { pq_sys::PQntuples(self.0.as_ptr()) }.try_into().unwrap_or(0)
    }

    pub(super) fn columns(&self) -> usize {
        // SAFETY: as above.
        unsafe { pq_sys::PQnfields(self.0.as_ptr()) }.try_into().unwrap_or(0)
    }

    pub(super) fn column_name(&self, column: usize) -> Option<&str> {
        // SAFETY: as above. libpq looks whether there is such a column.
        unsafe { text(pq_sys::PQfname(self.0.as_ptr(), index(column))) }
    }

    /// The OID of a column's type.
    pub(super) fn column_type(&self, column: usize) -> NonZeroU32 {
        // SAFETY: as above.
        let oid = unsafe { pq_sys::PQftype(self.0.as_ptr(), index(column)) };
        NonZeroU32::new(oid).expect("a column that was read has a type")
    }

    /// A value, in PostgreSQL's binary representation; `None` for NULL.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<&[u8]> {
        let (row, column) = (index(row), index(column));
        // SAFETY: as above. The value has as many bytes as libpq says, and they live as long as the
        // answer. libpq looks whether there is such a row and column.
        unsafe {
            if pq_sys::PQgetisnull(self.0.as_ptr(), row, column) == 1 {
                return None;
            }
            let bytes = NonNull::new(pq_sys::PQgetvalue(self.0.as_ptr(), row, column))?;
            let length = pq_sys::PQgetlength(self.0.as_ptr(), row, column);
            Some(slice::from_raw_parts(bytes.as_ptr().cast(), length.try_into().unwrap_or(0)))
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: it was made by libpq, belongs to this value alone, and is not used again.
        unsafe { pq_sys::PQclear(self.0.as_ptr()) }
    }
}

/// libpq counts in `int`, and has no answer with more rows or columns than that.
fn index(at: usize) -> c_int {
    at.try_into().unwrap_or(c_int::MAX)
}

/// A text of libpq's; `None` where there is none, or it is not UTF-8.
///
/// # Safety
/// It ends with a NUL, and lives as long as what it is borrowed from.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
