//! What the jobs themselves write down, apart from what center and agent say, and the scripts that do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

/// What one life has written down.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stamps {
    /// Process id, once per start.
    pub(crate) starts: Vec<i32>,
    /// When it wrote that down, on the machine's clock.
    pub(crate) started_at: Option<Timestamp>,
    /// Exit status that it was about to have, once per end.
    pub(crate) ends: Vec<i32>,
    /// Lines of output that it had written.
    pub(crate) said: usize,
}

/// Where the jobs of a scenario write.
#[derive(Debug, Clone)]
pub(crate) struct StampDir(PathBuf);

impl StampDir {
    pub(crate) fn create(dir: PathBuf) -> Result<Self> {
        std::fs::create_dir(&dir)?;
        Ok(Self(dir))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// A run that numbers `lines` lines of output, pauses after each for `pause` seconds, and exits with the value of the
    /// arithmetic expression `code`.
    pub(crate) fn run(&self, lines: u32, pause: &str, code: &str) -> String {
        let dir = self.path().display();
        format!(
            "at={dir}/$CRONFLEET_RUN_ID; echo $$ >> $at.start; {}; code=$(({code})); echo $code >> $at.end; exit $code",
            say(lines, pause, "")
        )
    }

    /// A daemon process that never ends, numbers its lines of output, and holds a lock that no other process of its slot gets.
    pub(crate) fn daemon(&self) -> String {
        let dir = self.path().display();
        format!(
            "at={dir}/$CRONFLEET_PROCESS_ID; exec 9> {dir}/$CRONFLEET_SLOT.slot; flock -n 9 || echo $$ >> {dir}/any.doubled; \
             echo $$ >> $at.start; {}",
            say(1_000_000, "0.5", "9>&-")
        )
    }

    /// What every life has written down so far, by its id.
    pub(crate) fn read(&self) -> Result<BTreeMap<String, Stamps>> {
        let mut found: BTreeMap<String, Stamps> = BTreeMap::new();
        for entry in std::fs::read_dir(self.path())? {
            let path = entry?.path();
            let name = path.file_stem().context("stem")?.to_string_lossy();
            let text = std::fs::read_to_string(&path)?;
            let numbers = || -> Result<Vec<i32>> {
                Ok(text.lines().map(str::parse).collect::<Result<_, _>>()?)
            };
            let stamps = found.entry(name.into_owned()).or_default();
            match path.extension().and_then(|kind| kind.to_str()) {
                Some("start") => {
                    stamps.starts = numbers()?;
                    stamps.started_at = Some(path.metadata()?.modified()?.try_into()?);
                }
                Some("end") => stamps.ends = numbers()?,
                // The last line may be half written.
                Some("said") => stamps.said = text.matches('\n').count(),
                _ => {}
            }
        }
        found.retain(|_, stamps| !stamps.starts.is_empty());
        Ok(found)
    }

    /// Whether two processes ever lived in one slot.
    pub(crate) fn is_doubled(&self) -> bool {
        self.path().join("any.doubled").exists()
    }
}

/// Says and notes down the numbers from 1 to `lines`.
fn say(lines: u32, pause: &str, without: &str) -> String {
    let pause = match pause {
        "0" => String::new(),
        pause => format!(" sleep {pause} {without};"),
    };
    format!(
        "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo $i; echo $i >> $at.said;{pause} done"
    )
}
