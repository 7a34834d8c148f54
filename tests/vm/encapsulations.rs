//! Tunnels between guests, and SCTP, on veths with default offloads, in a VM whose kernel has the drivers for
//! them.

use super::image::{Image, Kernel};
use super::machine::Vm;

const PROGRAMS: [&str; 3] = [env!("CARGO_BIN_EXE_trunkpath"), "ip", "socat"];

/// Nine kinds of tunnel and MPLS by a port, four kinds by a subport, SCTP without a tunnel by each; both
/// ways.
const TRANSFERS: usize = (9 + 1 + 4 + 2) * 2;

#[test]
fn tunnels_of_guests_and_sctp_work_with_stock_offloads() {
    let test = "tunnels_of_guests_and_sctp_work_with_stock_offloads";
    let Some(image) = Image::for_test(test, Kernel::Newest, &PROGRAMS) else { return };
    let mut vm = Vm::boot_host(&image);
    let (status, printed) = vm.run_script(include_str!("encapsulations.sh"), "");
    assert_eq!(status, 0, "{printed}");
    assert_eq!(printed.matches("passed ").count(), TRANSFERS, "{printed}");
}
