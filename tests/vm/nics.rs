//! Uplinks on emulated NICs, with the drivers of Debian's newest kernel: copy mode and zero-copy mode, frames
//! in both directions to the byte, and removal of the NIC. `scripts/test-nics` runs these tests alone.

use super::image::Image;
use super::inside;
use super::machine::Vm;

/// A device whose driver has zero-copy mode: with memory behind an IOMMU.
const VIRTIO_ZERO_COPY: &str = "virtio-net-pci,iommu_platform=on,disable-legacy=on";

/// Boots a VM with a pair of NICs, and runs `nics.sh` in it.
fn on_nics(test: &str, device: &str, arguments: &str) -> Option<String> {
    run_on_nics(test, device, include_str!("nics.sh"), arguments)
}

/// Boots a VM with a pair of NICs, and runs `nic_pair.sh` and `script` in it.
fn run_on_nics(test: &str, device: &str, script: &str, arguments: &str) -> Option<String> {
    let switch = env!("CARGO_BIN_EXE_trunkpath");
    let programs = [&inside::program(), switch, "ip", "tcpdump", "setpriv", "ethtool", "socat"];
    let image = Image::with_nics(test, &programs)?;
    let mut vm = Vm::boot_with_nics(&image, device);
    let (status, printed) = vm.run_script(&[include_str!("nic_pair.sh"), script].concat(), arguments);
    assert_eq!(status, 0, "{printed}");
    println!("{printed}");
    Some(printed)
}

/// Asserts that frames were exchanged in `mode`, also after the end of an earlier process.
fn assert_exchanged(printed: &str, mode: &str) {
    let exchanged = printed.lines().filter(|line| line.starts_with("EXCHANGED") && line.ends_with(mode));
    assert_eq!(exchanged.count(), 4, "{printed}");
}

#[test]
fn an_igb_is_an_uplink_in_zero_copy_mode_and_can_be_removed() {
    let test = "an_igb_is_an_uplink_in_zero_copy_mode_and_can_be_removed";
    let Some(printed) = on_nics(test, "igb", "zero-copy 1600") else { return };
    assert_exchanged(&printed, " zero-copy");
    assert!(printed.contains("rxvlan off, and on again"), "{printed}");
}

#[test]
fn a_virtio_nic_is_an_uplink_in_zero_copy_mode_and_can_be_removed() {
    let test = "a_virtio_nic_is_an_uplink_in_zero_copy_mode_and_can_be_removed";
    let Some(printed) = on_nics(test, VIRTIO_ZERO_COPY, "zero-copy 1600") else { return };
    assert_exchanged(&printed, " zero-copy");
}

#[test]
fn a_virtio_nic_is_an_uplink_in_copy_mode() {
    let test = "a_virtio_nic_is_an_uplink_in_copy_mode";
    let Some(printed) = on_nics(test, "virtio-net-pci", "copy 1600") else { return };
    assert_exchanged(&printed, " copy");
}

#[test]
fn a_vmxnet3_is_an_uplink_in_copy_mode() {
    let test = "a_vmxnet3_is_an_uplink_in_copy_mode";
    let Some(printed) = on_nics(test, "vmxnet3", "copy 1600") else { return };
    assert_exchanged(&printed, " copy");
    assert!(printed.contains("rxvlan off, and on again"), "{printed}");
}

#[test]
fn an_e1000e_is_refused_in_words() {
    let test = "an_e1000e_is_refused_in_words";
    let Some(printed) = on_nics(test, "e1000e", "refused 1500") else { return };
    assert!(
        printed.contains("REFUSED the driver does not accept an XDP program in native mode"),
        "{printed}"
    );
}

/// Asserts that a guest on a provider network, and the host, reach their neighbours behind the NIC.
fn assert_provides(test: &str, device: &str, mode: &str) {
    let Some(printed) = run_on_nics(test, device, include_str!("provider.sh"), mode) else { return };
    assert_eq!(printed.matches("passed ").count(), 3, "{printed}");
    assert_eq!(printed.matches("host reaches its neighbour").count(), 4, "{printed}");
}

#[test]
fn a_guest_and_the_host_share_an_igb_in_zero_copy_mode() {
    assert_provides("a_guest_and_the_host_share_an_igb_in_zero_copy_mode", "igb", "zero-copy");
}

#[test]
fn a_guest_and_the_host_share_a_virtio_nic_in_zero_copy_mode() {
    let test = "a_guest_and_the_host_share_a_virtio_nic_in_zero_copy_mode";
    assert_provides(test, VIRTIO_ZERO_COPY, "zero-copy");
}
