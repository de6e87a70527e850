//! Which files are read, and their texts.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Largest file.
const BYTES_MAX: u64 = 64 << 20;
/// Deepest folder below one that was named.
const DEPTH_MAX: usize = 16;
/// Endings of files that are read of a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A file and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    /// As it was named.
    pub(super) name: String,
    pub(super) text: String,
}

/// Reads files, all `.yaml`, `.yml` and `.json` below folders in the order of their names, and standard input for `-`.
///
/// # Errors
/// What cannot be read, is too large or is not UTF-8; a folder without definitions.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let text = text(path, std::io::stdin())?;
            let name = "standard input".to_owned();
            files.push(SourceFile { name, text });
            continue;
        }
        if !path.is_dir() {
            files.push(read_file(path)?);
            continue;
        }
        let mut found = Vec::new();
        below(path, 0, &mut found)?;
        if found.is_empty() {
            return Err(Failure::Input {
                field: "--file".to_owned(),
                message: format!("there are no definitions in {}", path.display()),
                hint: "their files end in .yaml, .yml or .json".to_owned(),
            });
        }
        for file in found {
            files.push(read_file(&file)?);
        }
    }
    Ok(files)
}

/// Finds the files below a folder; those that are hidden stay so.
fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |source| Failure::File {
        doing: "read",
        path: folder.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort_unstable();
    for path in entries {
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            if depth == DEPTH_MAX {
                return Err(Failure::Input {
                    field: "--file".to_owned(),
                    message: format!("{} is nested too deep", path.display()),
                    hint: "a link that leads back to its own folder may be the reason".to_owned(),
                });
            }
            below(&path, depth + 1, found)?;
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            found.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<SourceFile, Failure> {
    let file = fs::File::open(path).map_err(|source| Failure::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(SourceFile {
        name: path.display().to_string(),
        text: text(path, file)?,
    })
}

fn text(path: &Path, from: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    let read = from.take(BYTES_MAX + 1).read_to_string(&mut text);
    let size = read.map_err(|source| Failure::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    if size as u64 > BYTES_MAX {
        return Err(Failure::Input {
            field: "--file".to_owned(),
            message: format!("{} is larger than 64 MiB", path.display()),
            hint: "apply it in parts".to_owned(),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_whole_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        };
        let path = dir.path().to_owned();
        assert!(
            read(std::slice::from_ref(&path)).is_err(),
            "nothing is there"
        );
        for name in [
            "b.yaml",
            "a/z.yml",
            "a/y.json",
            "README.md",
            ".git/x.yaml",
            ".c.yaml",
        ] {
            put(name);
        }
        let files = read(&[path.clone(), path.join("b.yaml")]).unwrap();
        let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["a/y.json", "a/z.yml", "b.yaml", "b.yaml"]);
        std::os::unix::fs::symlink(&path, path.join("a/loop")).unwrap();
        assert!(read(&[path]).is_err(), "a loop comes to an end");
    }
}
