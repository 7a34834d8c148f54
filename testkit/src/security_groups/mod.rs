//! Security groups compared with a naive model, on random steps: changes of rules and members, pauses, packets.
//!
//! Property tests draw the steps from a generator, and a fuzz target from its bytes.

mod choice;
pub mod model;
pub mod packet;
mod run;
pub mod steps;

pub use run::Run;
