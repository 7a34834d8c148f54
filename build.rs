//! Compiles the XDP program and generates its Rust skeleton.

#[cfg(not(feature = "daemon"))]
fn main() {}

#[cfg(feature = "daemon")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::env;
    use std::path::PathBuf;

    use libbpf_cargo::SkeletonBuilder;

    const SOURCE: &str = "bpf/steer.bpf.c";
    let out = PathBuf::from(env::var("OUT_DIR")?).join("steer.skel.rs");
    // Debian has asm/types.h in the directory of the architecture, which is not in the search path of a BPF
    // target.
    let multiarch = format!("/usr/include/{}-linux-gnu", env::var("CARGO_CFG_TARGET_ARCH")?);
    SkeletonBuilder::new()
        .source(SOURCE)
        .clang_args(["-I", &multiarch, "-O2", "-Wall", "-Wextra", "-Werror"])
        .build_and_generate(out)?;
    println!("cargo::rerun-if-changed=bpf");
    Ok(())
}
