//! The shim, one of which holds each process: a program of its own, found beside this one.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Its file name.
const NAME: &str = "cronfleet-shim";

/// Finds the shim: as configured, else beside this binary, else in `../lib/cronfleet/`.
pub(crate) fn find(configured: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(path) = configured {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(missing(&path))
        };
    }
    let binary =
        std::env::current_exe().map_err(|error| Failure::system("find my own program", error))?;
    let directory = binary.parent().unwrap_or(Path::new("/"));
    let beside = directory.join(NAME);
    let places = [
        beside.clone(),
        directory.join("../lib/cronfleet").join(NAME),
    ];
    places
        .into_iter()
        .find(|place| place.is_file())
        .ok_or_else(|| missing(&beside))
}

fn missing(path: &Path) -> Failure {
    Failure::Input {
        field: "--shim".to_owned(),
        message: format!("the program {NAME} is not at {}", path.display()),
        hint: "put it beside cronfleet, or name it with --shim or CRONFLEET_SHIM".to_owned(),
    }
}
