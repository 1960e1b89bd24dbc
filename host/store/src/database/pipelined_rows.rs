//! Rows of PostgreSQL, as diesel reads them.

use std::{num::NonZeroU32, ops::Range, rc::Rc};

use diesel::{
    QueryResult,
    backend::Backend,
    pg::{Pg, PgValue, TypeOidLookup},
    row::{Field, PartialRow, Row, RowIndex, RowSealed},
};

use super::libpq::Answer;

/// The rows of an answer, one after the other.
pub(crate) struct PipelinedRows {
    answer: Rc<Answer>,
    next: usize,
    count: usize,
}

/// One row.
pub(crate) struct PipelinedRow {
    answer: Rc<Answer>,
    row: usize,
}

/// One value of a row.
pub(crate) struct PipelinedField<'a> {
    row: &'a PipelinedRow,
    column: usize,
}

impl PipelinedRows {
    pub(super) fn new(answer: Answer) -> Self {
        let count = answer.rows();
        Self { answer: Rc::new(answer), next: 0, count }
    }
}

impl Iterator for PipelinedRows {
    type Item = QueryResult<PipelinedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = Some(self.next).filter(|row| *row < self.count)?;
        self.next += 1;
        Some(Ok(PipelinedRow { answer: self.answer.clone(), row }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for PipelinedRows {}

impl RowSealed for PipelinedRow {}

impl RowIndex<usize> for PipelinedRow {
    fn idx(&self, column: usize) -> Option<usize> {
        Some(column).filter(|column| *column < self.answer.columns())
    }
}

impl RowIndex<&str> for PipelinedRow {
    fn idx(&self, name: &str) -> Option<usize> {
        (0..self.answer.columns()).find(|column| self.answer.column_name(*column) == Some(name))
    }
}

impl<'a> Row<'a, Pg> for PipelinedRow {
    type Field<'f>
        = PipelinedField<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.answer.columns()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        Some(PipelinedField { row: self, column: self.idx(index)? })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

impl<'a> Field<'a, Pg> for PipelinedField<'a> {
    fn field_name(&self) -> Option<&str> {
        self.row.answer.column_name(self.column)
    }

    fn value(&self) -> Option<<Pg as Backend>::RawValue<'_>> {
        self.row.answer.value(self.row.row, self.column).map(|bytes| PgValue::new(bytes, self))
    }
}

impl TypeOidLookup for PipelinedField<'_> {
    fn lookup(&self) -> NonZeroU32 {
        self.row.answer.column_type(self.column)
    }
}
