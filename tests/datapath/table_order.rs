//! The order in which the world changes does not matter, only what it has become.

use proptest::collection::vec;
use proptest::prelude::*;
use trunkpath::nb::{Change, Northbound, Record};
use trunkpath::tables::{Compiler, LocalLink, Policy, TableDump};

use crate::strategies::world;
use crate::switch::local_links;
use crate::world::World;

/// Changes that end in the records of `last`, each record's own in an order that does: `before` comes, some of it
/// twice, some of it goes, and what `last` has comes after it. Everything else is shuffled.
fn history(before: &World, last: &World, draws: &[prop::sample::Index]) -> Vec<Change> {
    let mut draws = draws.iter().cycle();
    let mut below = |len| draws.next().expect("at least one draw").index(len);
    let mut queues: Vec<Vec<Change>> = Vec::new();
    let last = last.records();
    for old in before.records() {
        let mut changes = vec![Change::Put(old.clone()); 1 + below(2)];
        match last.iter().find(|new| is_same(new, &old)) {
            Some(new) if below(2) == 0 => changes.extend([delete(&old), Change::Put(new.clone())]),
            Some(new) => changes.push(Change::Put(new.clone())),
            None => changes.extend(vec![delete(&old); 1 + below(2)]),
        }
        queues.push(changes);
    }
    let fresh = last.iter().filter(|new| !before.records().iter().any(|old| is_same(old, new)));
    queues.extend(fresh.map(|new| vec![Change::Put(new.clone()); 1 + below(2)]));
    let mut merged = Vec::new();
    while !queues.is_empty() {
        let at = below(queues.len());
        merged.push(queues[at].remove(0));
        queues.retain(|queue| !queue.is_empty());
    }
    merged
}

fn is_same(a: &Record, b: &Record) -> bool {
    (a.table, &a.id) == (b.table, &b.id)
}

fn delete(record: &Record) -> Change {
    Change::Delete { table: record.table, id: record.id.clone() }
}

/// What there is after `changes`. With `each` the tables are compiled after each, as a switch would, else once at the
/// end.
fn tables_after(changes: &[Change], links: &[LocalLink], each: bool) -> (Northbound, TableDump) {
    let mut compiler = Compiler::new(1, Policy::default());
    links.iter().cloned().for_each(|link| compiler.set_link(link));
    for change in changes {
        compiler.apply(change);
        if each {
            drop(compiler.compile());
        }
    }
    let tables = compiler.compile();
    (compiler.northbound().clone(), TableDump::of(&compiler, &tables))
}

proptest! {
    #[test]
    fn any_history_that_ends_in_the_same_records_gives_the_same_tables(
        before in world(),
        last in world(),
        draws in vec(any::<prop::sample::Index>(), 64),
        rotation in 0..4_usize,
    ) {
        let mut links = local_links(&last);
        let puts: Vec<_> = last.records().into_iter().map(Change::Put).collect();
        let (expected_nb, expected) = tables_after(&puts, &links, false);
        let rotation = rotation % links.len();
        links.rotate_left(rotation);
        let (nb, tables) = tables_after(&history(&before, &last, &draws), &links, true);
        prop_assert_eq!(nb, expected_nb);
        prop_assert_eq!(tables, expected);
    }
}
