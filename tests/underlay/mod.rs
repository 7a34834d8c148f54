//! The paths of tunnels, resolved by a real kernel: routes, neighbours and links of namespaces. The tests
//! need root; `scripts/test` runs them.

mod changes;
mod equal_cost;
mod load;
mod mtu;
mod neighbours;
mod refused;
mod testbed;
