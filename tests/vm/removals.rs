//! Removal of links and namespaces with attached programs, in a VM of its own: an affected kernel crashes
//! (`bpf/README.md`).

use super::image::{Image, Kernel};
use super::machine::Vm;

/// Rounds of sixty removals.
const ROUNDS: usize = 2;

const PROGRAMS: [&str; 2] = [env!("CARGO_BIN_EXE_trunkpath"), "ip"];

#[test]
fn removing_links_and_namespaces_under_programs_does_not_crash_the_kernel() {
    let test = "removing_links_and_namespaces_under_programs_does_not_crash_the_kernel";
    let Some(image) = Image::for_test(test, Kernel::Newest, &PROGRAMS) else { return };
    let mut vm = Vm::boot_host(&image);
    let script = concat!(include_str!("twenty_links.sh"), include_str!("removals.sh"));
    let (status, printed) = vm.run_script(script, &ROUNDS.to_string());
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains(&format!("removed {}", ROUNDS * 60)), "{printed}");
}

#[test]
fn a_kernel_that_is_too_old_is_reported_with_the_required_one() {
    let test = "a_kernel_that_is_too_old_is_reported_with_the_required_one";
    let Some(image) = Image::for_test(test, Kernel::Stable, &PROGRAMS) else { return };
    let mut vm = Vm::boot_host(&image);
    let (status, printed) =
        vm.run_long("trunkpath run --nb sqlite:/tmp/nb.db --chassis c1 --api /tmp/api.sock");
    assert_ne!(status, 0, "{printed}");
    assert!(printed.contains("Linux 6.1.") && printed.contains("6.8 or newer"), "{printed}");
}
