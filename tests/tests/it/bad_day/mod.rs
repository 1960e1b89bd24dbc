//! A bad day: the faults that an operator lives through, one after the other, on one host under
//! load. Each caller's answers are counted, and each phase says which it may have. At the end
//! nothing is lost that the host has confirmed.

mod callers;
mod day;
mod on_postgres;
mod on_sqlite;
mod tally;
