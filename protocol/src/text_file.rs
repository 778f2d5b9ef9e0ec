//! Files that people write by hand, read within bounds, and names of files in JSON.

use serde::Serializer;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Longest file of settings, rules or a script that is read, bytes.
pub const MAX_TEXT_FILE_BYTES: u64 = 1 << 20;

/// The text of a file that people write by hand: settings, rules, a script.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or has more than [`MAX_TEXT_FILE_BYTES`]; a device that never ends is no different
/// from that.
pub fn read_text_file(path: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_TEXT_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_TEXT_FILE_BYTES {
        let problem = format!("it has more than {MAX_TEXT_FILE_BYTES} bytes: that is not a file of settings");
        return Err(Error::new(ErrorKind::FileTooLarge, problem));
    }
    Ok(text)
}

/// For `#[serde(serialize_with)]`: a file's name as people read it, since not every name is UTF-8 as JSON has to be.
///
/// # Errors
/// The serializer's.
pub fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_what_never_ends_is_refused() {
        let file = std::env::temp_dir().join(format!("takeover-rules-{}", std::process::id()));
        let longest = "#".repeat(MAX_TEXT_FILE_BYTES as usize);
        std::fs::write(&file, &longest).unwrap();
        assert_eq!(read_text_file(&file).unwrap(), longest);
        std::fs::write(&file, longest + "#").unwrap();
        for endless in [file.as_path(), Path::new("/dev/zero")] {
            let error = read_text_file(endless).unwrap_err().to_string();
            assert!(error.contains("more than 1048576 bytes"), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read_text_file(&file).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read_text_file(Path::new("/")).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
