//! Leases: of any number of callers on any number of hosts, one does the work. The tables
//! `refreshes` and `revocations` have the columns `lease` and `leased_until`.

use diesel::{
    backend::Backend,
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::BigInt,
};

/// Proof that the work is the caller's. A random number: a caller that comes back late, when
/// another has the lease, changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression)]
#[diesel(sql_type = BigInt)]
pub struct Lease(i64);

impl Lease {
    pub(super) fn new() -> Self {
        Self(random())
    }
}

/// A random number, for proofs like this one.
pub(super) fn random() -> i64 {
    getrandom::u64().expect("the operating system has a random generator").cast_signed()
}

impl<DB: Backend> ToSql<BigInt, DB> for Lease
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

/// The rows of a table on which nobody has a lease.
macro_rules! is_free {
    ($table:ident, $now:expr) => {
        $table::leased_until.is_null().or($table::leased_until.le(milliseconds($now)))
    };
}
pub(super) use is_free;

/// Takes a lease until a time.
macro_rules! leased {
    ($table:ident, $lease:expr, $until:expr) => {
        ($table::lease.eq($lease), $table::leased_until.eq(milliseconds($until)))
    };
}
pub(super) use leased;

/// Gives a lease back.
macro_rules! released {
    ($table:ident) => {
        ($table::lease.eq(None::<$crate::tables::leases::Lease>), $table::leased_until.eq(None::<i64>))
    };
}
pub(super) use released;
