//! The BPF programs of the bench, compiled when it starts.

use std::fs;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{
    MapCore as _, MapFlags, Object, ObjectBuilder, OpenObject, Program, TC_EGRESS, TC_INGRESS, TcHookBuilder,
    Xdp, XdpFlags,
};

use testkit::netns::Netns;

/// Name and source of each program, embedded so that the bench runs from any folder.
const SOURCES: [(&str, &str); 3] = [
    ("generator", include_str!("bpf/generator.bpf.c")),
    ("sink", include_str!("bpf/sink.bpf.c")),
    ("kernel", include_str!("bpf/kernel.bpf.c")),
];

#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Compiles them into `folder`.
    pub fn compile(folder: PathBuf) -> Result<Self> {
        let headers = folder.join("include/bpf");
        fs::create_dir_all(&headers)?;
        for (name, text) in libbpf_rs::libbpf_sys::API_HEADERS {
            fs::write(headers.join(name), text)?;
        }
        for (name, text) in SOURCES {
            let source = folder.join(format!("{name}.bpf.c"));
            fs::write(&source, text)?;
            let output = Command::new("clang")
                .args(["-target", "bpf", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I"])
                .arg(folder.join("include"))
                // Debian has asm/types.h in a folder that is no default for a BPF target.
                .args(["-I", &format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH), "-c"])
                .arg(&source)
                .arg("-o")
                .arg(folder.join(format!("{name}.o")))
                .output()
                .context("clang: `scripts/setup bench` installs it")?;
            if !output.status.success() {
                bail!("clang refuses {name}.bpf.c: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
        Ok(Self { folder })
    }

    /// Opens a program, for configuration and loading.
    pub fn open(&self, name: &str) -> Result<OpenObject> {
        let path = self.folder.join(format!("{name}.o"));
        ObjectBuilder::default().open_file(&path).with_context(|| format!("{}", path.display()))
    }
}

/// Program `name` of an object.
pub fn program<'object>(object: &'object Object, name: &str) -> Result<Program<'object>> {
    object.progs().find(|program| program.name() == name).with_context(|| format!("no BPF program {name}"))
}

/// Replaces the value of a single-entry map, such as the variables of a section.
pub fn set_variables(object: &Object, section: &str, value: &[u8]) -> Result<()> {
    let map = object.maps().find(|map| map.name().to_string_lossy().ends_with(section));
    let map = map.with_context(|| format!("no BPF map {section}"))?;
    let mut whole = vec![0; map.value_size() as usize];
    whole.get_mut(..value.len()).with_context(|| format!("{section} is too small"))?.copy_from_slice(value);
    Ok(map.update(&0_u32.to_ne_bytes(), &whole, MapFlags::ANY)?)
}

/// Attachment point of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// In the driver, before a socket buffer is allocated.
    Xdp,
    /// At the ingress of `tc`, behind the socket buffer.
    Tc,
}

/// Attaches `program` to `link` until the link is deleted.
pub fn attach(netns: &Netns, link: &str, program: BorrowedFd<'_>, hook: Hook) -> Result<()> {
    netns
        .enter(|| {
            let ifindex = nix::net::if_::if_nametoindex(link)?.cast_signed();
            match hook {
                Hook::Xdp => Xdp::new(program).attach(ifindex, XdpFlags::DRV_MODE)?,
                Hook::Tc => {
                    let mut hook =
                        TcHookBuilder::new(program).ifindex(ifindex).handle(1).priority(1).hook(TC_INGRESS);
                    hook.create()?;
                    hook.attach()?;
                }
            }
            anyhow::Ok(())
        })
        .with_context(|| format!("attaching a BPF program to {link}"))
}

/// Attaches `program` to the egress of a link that has one at the ingress of `tc`.
pub fn attach_egress(netns: &Netns, link: &str, program: BorrowedFd<'_>) -> Result<()> {
    netns
        .enter(|| {
            let ifindex = nix::net::if_::if_nametoindex(link)?.cast_signed();
            TcHookBuilder::new(program).ifindex(ifindex).handle(1).priority(1).hook(TC_EGRESS).attach()?;
            anyhow::Ok(())
        })
        .with_context(|| format!("attaching a BPF program to the egress of {link}"))
}
