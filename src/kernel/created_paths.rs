//! Folders and a mount that a start creates, and that are removed when the switch ends.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

/// Created folders and mounts, in the order of their creation. Dropping it removes those that are empty, in
/// reverse order; a folder with anything in it stays, and so does the mount that it is in.
#[derive(Debug, Default)]
pub struct CreatedPaths(Vec<Step>);

#[derive(Debug)]
enum Step {
    Folder(PathBuf),
    Mount(PathBuf),
}

impl CreatedPaths {
    /// Creates the folder `path` and its missing parents, for the daemon's user alone (mode 0700). Existing
    /// ones are left unchanged.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev().filter(|folder| *folder != Path::new("")) {
            match DirBuilder::new().mode(0o700).create(folder) {
                // Another switch that starts at the same time was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => self.0.push(Step::Folder(folder.to_owned())),
            }
        }
        Ok(())
    }

    /// Records that a file system was mounted at `point`.
    pub(super) fn record_mount(&mut self, point: &Path) {
        self.0.push(Step::Mount(point.to_owned()));
    }

    /// The recorded mount point, if any.
    pub(super) fn mount_point(&self) -> Option<&Path> {
        self.0.iter().find_map(|step| match step {
            Step::Mount(point) => Some(point.as_path()),
            Step::Folder(_) => None,
        })
    }
}

impl Drop for CreatedPaths {
    fn drop(&mut self) {
        for step in self.0.drain(..).rev() {
            let removed = match &step {
                Step::Folder(path) => remove_if_empty(path),
                Step::Mount(point) => unmount_if_empty(point),
            };
            if let Err(error) = removed {
                tracing::warn!("left behind: {step:?}: {error}");
            }
        }
    }
}

fn remove_if_empty(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::DirectoryNotEmpty].contains(&error.kind()) => {
            Ok(())
        }
        removed => removed,
    }
}

/// A switch in another network namespace may use the mount as well.
fn unmount_if_empty(point: &Path) -> io::Result<()> {
    /// Files that the kernel puts into every bpffs (`kernel/bpf/inode.c`).
    const ALWAYS_THERE: [&str; 2] = ["maps.debug", "progs.debug"];
    for entry in fs::read_dir(point)? {
        if !ALWAYS_THERE.iter().any(|name| entry.as_ref().is_ok_and(|entry| entry.file_name() == *name)) {
            return Ok(());
        }
    }
    Ok(unmount(point, UnmountFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_folders_are_removed_unless_something_is_in_them() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        fs::create_dir(path("there")).unwrap();
        let mut created = CreatedPaths::default();
        for name in ["there/a/b", "empty/c", "used/d"] {
            created.create_folder(&path(name)).unwrap();
        }
        fs::write(path("used/file"), "").unwrap();
        drop(created);
        let left = |name: &str| path(name).exists();
        assert_eq!(
            ["there", "there/a", "empty", "used", "used/d"].map(left),
            [true, false, false, true, false]
        );
    }
}
