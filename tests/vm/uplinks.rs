//! Removal of uplinks and of their namespaces under the attached program, in a VM of its own
//! (`bpf/README.md`).

use super::image::{Image, Kernel};
use super::inside;
use super::machine::Vm;

const ROUNDS: usize = 2;

#[test]
fn removing_uplinks_and_namespaces_does_not_crash_the_kernel() {
    let test = "removing_uplinks_and_namespaces_does_not_crash_the_kernel";
    let Some(image) = Image::for_test(test, Kernel::Newest, &[&inside::program(), "ip"]) else { return };
    let mut vm = Vm::boot_host(&image);
    let script = concat!(include_str!("twenty_links.sh"), include_str!("uplinks.sh"));
    let (status, printed) = vm.run_script(script, &ROUNDS.to_string());
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains(&format!("removed {}", ROUNDS * 40)), "{printed}");
}
