//! Files and folders in the making: until they are whole they have another name, and what is not kept goes.

use super::ExchangeError;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static DRAFTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn remove(path: &Path) {
    // What is not there any more needs no removal, and there is nobody to tell about the rest.
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Removes everything that is in the making, in the whole process: for programs that are interrupted.
pub fn discard_drafts() {
    let drafts = std::mem::take(&mut *DRAFTS.lock().unwrap_or_else(PoisonError::into_inner));
    drafts.iter().for_each(|path| remove(path));
}

/// Something in the making at `path`; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
}

impl Draft {
    /// Looks after what will be made at `path`.
    pub fn new(path: PathBuf) -> Self {
        DRAFTS.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        Self { path }
    }

    /// A draft of `target`, beside it; what an earlier attempt left there goes.
    pub fn of(target: &Path) -> Self {
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        remove(&path);
        Self::new(path)
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It is whole: gives it its name.
    pub fn keep(self, target: &Path) -> Result<(), ExchangeError> {
        fs::rename(&self.path, target).map_err(ExchangeError::io("give its final name to", &self.path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Whoever took it out of the list has removed it.
        if DRAFTS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path) {
            remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_goes_and_what_is_kept_has_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("table.csv");
        fs::write(dir.path().join("table.csv.part"), "left over").unwrap();
        let draft = Draft::of(&target);
        assert!(!draft.path().exists());
        fs::write(draft.path(), "half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let draft = Draft::of(&target);
        fs::write(draft.path(), "whole").unwrap();
        draft.keep(&target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
