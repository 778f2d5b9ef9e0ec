//! The data folder: held by one control plane at a time, and left as it was by a start that fails.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Held while a control plane runs on the folder; the system lets go of it when the process dies.
const LOCK: &str = "takeover.lock";
/// Attempts to take a folder that failing starts remove meanwhile.
const ATTEMPTS: usize = 10;

/// The data folder, in use by this process for as long as this lives.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    before: Before,
    _lock: File,
}

/// What the folder was before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Missing,
    Empty,
    Used,
}

impl DataFolder {
    /// Takes the folder, made when it is missing, and makes the folders in it that files are kept in.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process holds it, [`Error::DataDir`] when it cannot be used; it is then as before.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let (lock, made) = lock(path)?;
        let before = match made {
            true => Before::Missing,
            false if is_empty(path) => Before::Empty,
            false => Before::Used,
        };
        let folder = Self { path: path.to_owned(), before, _lock: lock };
        for name in ["episodes", "policies"] {
            let sub = path.join(name);
            if let Err(cause) = std::fs::create_dir_all(&sub) {
                folder.restore();
                return Err(Error::DataDir { path: sub, cause });
            }
        }
        Ok(folder)
    }

    /// Removes what a failed start has left. The folder itself goes only if this start made it: one that was there may be
    /// a link or a mount point, and has its own rights.
    pub(crate) fn restore(self) {
        let removed = match self.before {
            Before::Used => Ok(()),
            Before::Empty => clear(&self.path),
            Before::Missing => clear(&self.path).and_then(|()| std::fs::remove_dir(&self.path)),
        };
        let removed = match removed {
            // Somebody else has begun there since the lock was removed.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            outcome => outcome,
        };
        if let Err(error) = removed {
            tracing::warn!("what a failed start left in {} could not be removed: {error}", self.path.display());
        }
    }

    /// Makes the names of new files survive a power cut.
    pub(crate) fn sync(&self) -> Result<()> {
        let synced = File::open(&self.path).and_then(|dir| dir.sync_all());
        synced.map_err(|cause| Error::DataDir { path: self.path.clone(), cause })
    }
}

/// The folder's lock, and whether the folder was made for it.
fn lock(folder: &Path) -> Result<(File, bool)> {
    let failed = |path: &Path, cause| Error::DataDir { path: path.to_owned(), cause };
    let path = folder.join(LOCK);
    let mut attempt = 1;
    loop {
        let made = make(folder).map_err(|cause| failed(folder, cause))?;
        let file = match File::options().create(true).truncate(false).write(true).open(&path) {
            Ok(file) => file,
            // A failed start has removed its folder since.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {
                attempt += 1;
                continue;
            }
            Err(cause) => {
                if made {
                    // Only while nobody has put anything into it.
                    let _ = std::fs::remove_dir(folder);
                }
                return Err(failed(&path, cause));
            }
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => return Ok((file, made)),
            // A failed start has removed the file before it let go of it: others lock its successor.
            Ok(()) if attempt < ATTEMPTS => attempt += 1,
            Ok(()) | Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: folder.to_owned() }),
            Err(TryLockError::Error(cause)) => return Err(failed(&path, cause)),
        }
    }
}

/// Makes the folder and those above it; returns whether it was missing.
fn make(folder: &Path) -> io::Result<bool> {
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        std::fs::create_dir_all(above)?;
    }
    match std::fs::create_dir(folder) {
        Ok(()) => Ok(true),
        Err(_) if folder.is_dir() => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Whether this is the file that the path names now.
fn is_at(file: &File, path: &Path) -> bool {
    let inode = |found: io::Result<std::fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    let locked = inode(file.metadata());
    locked.is_some() && locked == inode(std::fs::metadata(path))
}

/// Whether nothing but the lock is in it.
fn is_empty(folder: &Path) -> bool {
    let lock_only = |entries: std::fs::ReadDir| entries.flatten().all(|entry| entry.file_name() == LOCK);
    std::fs::read_dir(folder).is_ok_and(lock_only)
}

/// Removes everything in the folder, the lock last: until then nobody else begins there.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        gone(match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path()),
            false => std::fs::remove_file(entry.path()),
        })?;
    }
    gone(std::fs::remove_file(folder.join(LOCK)))
}

/// The database, as it closes, removes files of its own.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_start_leaves_a_folder_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let missing = place.path().join("a/missing");
        DataFolder::take(&missing).unwrap().restore();
        assert!(!missing.exists());

        let empty = place.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o700)).unwrap();
        let inode = empty.metadata().unwrap().ino();
        let taken = DataFolder::take(&empty).unwrap();
        assert_eq!(names(&empty), ["episodes", "policies", LOCK]);
        taken.restore();
        let after = empty.metadata().unwrap();
        assert_eq!((after.mode() & 0o777, after.ino()), (0o700, inode), "the folder itself stays");
        assert_eq!(names(&empty), [""; 0]);

        let link = place.path().join("link");
        std::os::unix::fs::symlink(&empty, &link).unwrap();
        DataFolder::take(&link).unwrap().restore();
        assert!(link.is_symlink() && names(&empty).is_empty());

        std::fs::write(empty.join("notes"), "mine").unwrap();
        DataFolder::take(&empty).unwrap().restore();
        assert_eq!(names(&empty), ["episodes", "notes", "policies", LOCK]);
    }

    #[test]
    fn one_that_comes_second_touches_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        let first = DataFolder::take(&path).unwrap();
        assert!(matches!(DataFolder::take(&path), Err(Error::Locked { .. })));
        assert_eq!(names(&path), ["episodes", "policies", LOCK]);
        first.restore();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_whose_file_was_removed_holds_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(LOCK);
        let old = File::create(&path).unwrap();
        assert!(is_at(&old, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&old, &path));
        let new = File::create(&path).unwrap();
        assert!(is_at(&new, &path) && !is_at(&old, &path));
    }

    #[test]
    fn a_link_to_nowhere_and_a_file_are_refused_and_stay() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        std::os::unix::fs::symlink(place.path().join("nowhere"), &link).unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        for bad in [&link, &file] {
            let error = DataFolder::take(bad).unwrap_err();
            assert!(matches!(&error, Error::DataDir { path, .. } if path == bad), "{error}");
        }
        assert!(link.is_symlink() && file.is_file());
    }
}
