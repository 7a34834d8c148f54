# Runs in a VM: the test in tests/hosts/kernel_links.rs.
# shellcheck shell=dash
load_more_modules
# Where `testkit::command::trunkpath` expects it.
ln -s /usr/bin/trunkpath /usr/trunkpath
test=hosts::kernel_links::ports_and_subports_reach_the_kernels_links
/usr/bin/inside-vm --ignored --exact --nocapture $test || exit 1
assert_kernel_works
