//! Compiles the XDP programs and generates their Rust skeletons.

#[cfg(not(feature = "daemon"))]
fn main() {}

#[cfg(feature = "daemon")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::env;
    use std::path::PathBuf;

    use libbpf_cargo::SkeletonBuilder;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Debian has asm/types.h in the directory of the architecture, which is not in the search path of a BPF
    // target.
    let multiarch = format!("/usr/include/{}-linux-gnu", env::var("CARGO_CFG_TARGET_ARCH")?);
    for program in ["steer", "uplink"] {
        SkeletonBuilder::new()
            .source(format!("bpf/{program}.bpf.c"))
            .clang_args(["-I", &multiarch, "-O2", "-Wall", "-Wextra", "-Werror"])
            .build_and_generate(out.join(format!("{program}.skel.rs")))?;
    }
    println!("cargo::rerun-if-changed=bpf");
    Ok(())
}
