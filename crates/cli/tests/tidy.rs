//! Rules about the source itself that no compiler checks. Each failure names the file and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each of our crates may know of the others; the table of `docs/ARCHITECTURE.md`. Tests may use the test kit and the
/// simulator may use everything pure.
const MAY_KNOW: [(&str, &[&str]); 13] = [
    ("core", &[]),
    ("store", &["core"]),
    ("wire", &["core"]),
    ("api", &["core"]),
    ("center", &["core", "store", "wire", "api"]),
    ("agent", &["core", "wire", "shim"]),
    ("shim", &[]),
    ("cli", &["core", "store", "wire", "api", "center", "agent"]),
    ("sim", &["core"]),
    ("testkit", &["api", "testdb"]),
    ("bench", &["api", "testkit"]),
    ("testdb", &[]),
    ("xtask", &["testdb"]),
];

/// Libraries that belong to one or a few crates.
const BELONGS_TO: [(&str, &[&str]); 6] = [
    ("sea-orm", &["store"]),
    ("sqlx", &["store"]),
    ("axum", &["center"]),
    ("tonic", &["wire", "center", "agent"]),
    ("clap", &["cli", "xtask", "sim", "bench"]),
    (
        "nix",
        &["agent", "center", "shim", "cli", "testkit", "testdb"],
    ),
];

/// Most lines of a source file, not counting its test module.
const LINES_MAX: usize = 600;

/// Files that may be longer, and why.
const LONG_FILES: [(&str, &str); 2] = [
    (
        "crates/center/tests/http/jobs.rs",
        "one list of everything a job's routes must do",
    ),
    (
        "crates/sim/src/center.rs",
        "the center's mirror image; to be split by loop",
    ),
];

/// Where `unsafe` may be: the code next to the operating system.
const UNSAFE_IN: [&str; 2] = ["crates/shim/", "crates/agent/src/host/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file under version control, from the root.
fn tracked() -> Vec<String> {
    let listed = Command::new("git")
        .arg("ls-files")
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        listed.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    names
        .lines()
        .filter(|name| root().join(name).is_file())
        .map(str::to_owned)
        .collect()
}

/// The tracked files with one of these endings, and their texts.
fn sources(endings: &[&str]) -> Vec<(String, String)> {
    let mut sources = vec![];
    for name in tracked() {
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(root().join(&name)).expect("source is readable UTF-8");
            sources.push((name, text));
        }
    }
    assert!(!sources.is_empty());
    sources
}

/// Package name without our prefix, its dependencies, and whether each is only for tests.
fn packages() -> BTreeMap<String, Vec<(String, bool)>> {
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value =
        serde_json::from_slice(&listed.stdout).expect("cargo metadata prints JSON");
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_default()
            .trim_start_matches("cronfleet-")
            .to_owned()
    };
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("there are packages") {
        let dependencies = package["dependencies"]
            .as_array()
            .expect("there are dependencies");
        let dependencies = dependencies
            .iter()
            .map(|one| (text(&one["name"]), one["kind"] == "dev"))
            .collect();
        packages.insert(text(&package["name"]), dependencies);
    }
    packages
}

#[test]
fn crates_know_only_what_the_architecture_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_KNOW.into_iter().collect();
    let packages = packages();
    let ours: BTreeSet<&String> = packages.keys().collect();
    let mut wrong = vec![];
    for (package, dependencies) in &packages {
        let Some(allowed) = table.get(package.as_str()) else {
            wrong.push(format!(
                "{package} is not in the table: give it a row here and in docs/ARCHITECTURE.md"
            ));
            continue;
        };
        for (dependency, is_for_tests) in dependencies {
            let is_allowed = allowed.contains(&dependency.as_str()) || *is_for_tests;
            if ours.contains(dependency) && !is_allowed {
                wrong.push(format!("{package} must not know {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_where_they_belong() {
    let mut wrong = vec![];
    for (package, dependencies) in packages() {
        for (dependency, is_for_tests) in dependencies {
            let owners = BELONGS_TO
                .iter()
                .find(|(library, _)| *library == dependency);
            if let Some((library, owners)) = owners
                && !owners.contains(&package.as_str())
                && !is_for_tests
            {
                wrong.push(format!(
                    "{library} belongs to {owners:?}, and {package} uses it"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_next_to_the_operating_system() {
    let keyword = "unsafe";
    let mut wrong = vec![];
    for (name, text) in sources(&[".rs"]) {
        if UNSAFE_IN.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_used = ["{", "fn", "impl", "extern", "trait", "("]
                .iter()
                .any(|next| {
                    code.contains(&format!("{keyword} {next}"))
                        || code.contains(&format!("{keyword}{next}"))
                });
            if is_used {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "unsafe code outside {UNSAFE_IN:?}:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn exceptions_from_lints_are_expectations_with_a_reason() {
    let attribute = "allow(";
    let mut wrong = vec![];
    for (name, text) in sources(&[".rs"]) {
        for (number, line) in text.lines().enumerate() {
            if line.contains(&format!("#[{attribute}")) || line.contains(&format!("#![{attribute}"))
            {
                wrong.push(format!(
                    "{name}:{}: use #[expect(…, reason = \"…\")]",
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_names_places_of_one_machine() {
    // Written in pieces, or this file would break its own rule.
    let places = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["/var/", "tmp/"].concat(),
    ];
    let mut wrong = vec![];
    for name in tracked() {
        let Ok(text) = fs::read_to_string(root().join(&name)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
                wrong.push(format!("{name}:{}: {place}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn source_files_are_short() {
    let mut wrong = vec![];
    let mut long: BTreeSet<&str> = LONG_FILES.iter().map(|(name, _)| *name).collect();
    for (name, text) in sources(&[".rs", ".ts", ".tsx", ".css", ".sql", ".proto", ".mjs"]) {
        let is_generated = name.ends_with(".d.ts");
        let tests = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
        let lines = text[..tests].lines().count();
        let is_known = long.remove(name.as_str());
        if lines > LINES_MAX && !is_generated && !is_known {
            wrong.push(format!(
                "{name} has {lines} lines: do two ideas share a file?"
            ));
        }
        if is_known && lines <= LINES_MAX {
            wrong.push(format!("{name} is short enough now: take it off the list"));
        }
    }
    wrong.extend(
        long.iter()
            .map(|name| format!("{name} is on the list and does not exist")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
