//! A choice between strategies that wastes no bytes of a fuzzer.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::TestRunner;

/// One of several strategies, by weight. `prop_oneof!` gives half of a fuzzer's remaining bytes to each option
/// before the chosen one, for shrinking to it, so that a few choices use all of them. A value of this one shrinks
/// within the chosen option only.
#[derive(Debug, Clone)]
pub struct OneOf<T: Debug>(Vec<(u32, BoxedStrategy<T>)>);

pub fn one_of<T: Debug, const N: usize>(options: [(u32, BoxedStrategy<T>); N]) -> OneOf<T> {
    OneOf(options.into())
}

/// `Some` in `percent` of 100 cases.
pub fn maybe<T: Debug + Clone + 'static>(
    percent: u32,
    some: impl Strategy<Value = T> + 'static,
) -> OneOf<Option<T>> {
    one_of([(100 - percent, Just(None).boxed()), (percent, some.prop_map(Some).boxed())])
}

impl<T: Debug> Strategy for OneOf<T> {
    type Tree = Box<dyn ValueTree<Value = T>>;
    type Value = T;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let sum: u32 = self.0.iter().map(|(weight, _)| weight).sum();
        let mut left = (0..sum).new_tree(runner)?.current();
        for (weight, option) in &self.0 {
            match left.checked_sub(*weight) {
                Some(less) => left = less,
                None => return option.new_tree(runner),
            }
        }
        Err("a choice without a weight".into())
    }
}
