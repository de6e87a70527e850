//! Statements about many rows at once.
//!
//! A statement's text depends on how many rows it is about, and a server parses each text that it has not seen. So counts are
//! rounded up to few different ones, and the last row is given again where there are fewer.

use crate::engine::Engine;
use crate::sql::{Given, Sql};

/// Up to this many, counts are rounded up to powers of two; above, to multiples of [`STEP`].
const FINE_MAX: usize = 16;
const STEP: usize = 25;

/// The count that a statement about `count` rows is made for; never less.
pub(crate) fn rounded(count: usize) -> usize {
    if count <= FINE_MAX {
        count.next_power_of_two()
    } else {
        count.next_multiple_of(STEP)
    }
}

/// An update of many rows, each with values of its own.
///
/// `columns` names the values of a row, the first of which is the key. A column of the table is set to the value that has its
/// name, or to its expression in `sets`, in which `given` is the row of values.
pub(crate) fn update_each(
    engine: Engine,
    table: &str,
    columns: &[&str],
    sets: &[(&str, &str)],
    rows: &[Given],
) -> Sql {
    let key = columns.first().copied().unwrap_or_default();
    let count = rounded(rows.len());
    let of_table = match engine {
        Engine::Sqlite | Engine::Postgres => String::new(),
        // Two tables are in reach there.
        Engine::Mysql => format!("{table}."),
    };
    let as_given = columns
        .iter()
        .skip(1)
        .filter(|column| sets.iter().all(|(set, _)| set != *column))
        .map(|column| format!("{of_table}{column} = given.{column}"));
    let expressions = sets
        .iter()
        .map(|(column, expression)| format!("{of_table}{column} = {expression}"));
    let sets: Vec<String> = as_given.chain(expressions).collect();
    let sets = sets.join(", ");
    let sql = match engine {
        Engine::Sqlite | Engine::Postgres => {
            Sql::new(format!("WITH given ({}) AS (VALUES ", columns.join(", ")))
                .tuples(count, columns.len())
                .text(&format!(
                    ") UPDATE {table} SET {sets} FROM given WHERE {table}.{key} = given.{key}"
                ))
        }
        Engine::Mysql => {
            let first: Vec<String> = columns
                .iter()
                .map(|column| format!("? AS {column}"))
                .collect();
            let next = format!(
                " UNION ALL SELECT ?{}",
                ", ?".repeat(columns.len().saturating_sub(1))
            );
            // Read in this order, only the rows that are given are locked.
            Sql::new(format!(
                "UPDATE (SELECT {}{}) given STRAIGHT_JOIN {table} ON {table}.{key} = given.{key} SET {sets}",
                first.join(", "),
                next.repeat(count.saturating_sub(1))
            ))
        }
    };
    let again = rows.last().into_iter().cycle().take(count - rows.len());
    rows.iter()
        .chain(again)
        .fold(sql, |sql, row| sql.given(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_rounded_up_to_few() {
        let mut different: Vec<usize> = (1..=200).map(rounded).collect();
        assert!(
            (1..=200)
                .zip(&different)
                .all(|(count, rounded)| *rounded >= count)
        );
        different.dedup();
        assert_eq!(
            different,
            [1, 2, 4, 8, 16, 25, 50, 75, 100, 125, 150, 175, 200]
        );
    }
}
