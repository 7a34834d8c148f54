//! The order of changes does not matter, only the final records and the incumbents.

use proptest::collection::vec;
use proptest::prelude::*;
use trunkpath::nb::{Change, Record, Revision, Snapshot};
use trunkpath::tables::{Compiler, LocalLink, Policy, TableDump};
use trunkpath::types::Incumbents;

use testkit::scenario::Scenario;
use testkit::strategies::scenario;
use testkit::switch::local_links;

/// A shuffled history that ends with the records of `last`. The changes of each record stay in order:
/// `before` comes first, some of it twice, some of it is deleted, and the records of `last` follow.
fn history(before: &Scenario, last: &Scenario, draws: &[prop::sample::Index]) -> Vec<Change> {
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

/// A compiler after `changes`, compiled after each one.
fn followed(changes: &[Change], links: &[LocalLink]) -> Compiler {
    let mut compiler = Compiler::new(1, Policy::default());
    links.iter().cloned().for_each(|link| compiler.set_link(link));
    for change in changes {
        compiler.apply_change(change);
        drop(compiler.compile());
    }
    compiler
}

/// A compiler that gets `records` at once.
fn fresh(records: Vec<Record>, links: &[LocalLink], incumbents: Incumbents) -> Compiler {
    let mut compiler = Compiler::new(1, Policy::default());
    compiler.set_incumbents(incumbents);
    links.iter().cloned().for_each(|link| compiler.set_link(link));
    compiler.apply_snapshot(&Snapshot { revision: Revision(1), records });
    compiler
}

fn dump(compiler: &mut Compiler) -> TableDump {
    let tables = compiler.compile();
    TableDump::of(compiler, &tables)
}

proptest! {
    #[test]
    fn any_history_that_ends_in_the_same_records_and_incumbents_gives_the_same_tables(
        before in scenario(),
        last in scenario(),
        draws in vec(any::<prop::sample::Index>(), 64),
        rotation in 0..4_usize,
    ) {
        let mut links = local_links(&last);
        let rotation = rotation % links.len();
        links.rotate_left(rotation);
        let mut followed = followed(&history(&before, &last, &draws), &links);
        let tables = dump(&mut followed);
        links.rotate_right(rotation);
        let mut fresh = fresh(last.records(), &links, followed.incumbents());
        prop_assert_eq!(followed.northbound(), fresh.northbound());
        prop_assert_eq!(&tables, &dump(&mut fresh));
        prop_assert_eq!(followed.incumbents(), fresh.incumbents());
    }

    /// Without incumbents, as at the first start of a switch, the lowest ids are in force, in any order.
    #[test]
    fn the_same_records_in_any_order_at_once_give_the_same_tables(
        (last, records) in scenario().prop_flat_map(|last| {
            let records = Just(last.records()).prop_shuffle();
            (Just(last), records)
        }),
    ) {
        let links = local_links(&last);
        let mut expected = fresh(last.records(), &links, Incumbents::new());
        let mut shuffled = fresh(records, &links, Incumbents::new());
        prop_assert_eq!(dump(&mut expected), dump(&mut shuffled));
    }
}
