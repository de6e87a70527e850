//! `cronfleet job edit`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use cronfleet_api::job::{Job, JobReplace, JobSpec};
use reqwest::Method;

use super::create::check_schedule;
use super::spec_file;
use super::spec_flags::SpecFlags;
use crate::client::{Client, find};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// Change a job: by flags, by a file, or, without either, in $EDITOR.
#[derive(Args)]
pub(crate) struct Edit {
    /// Name, group/name or id
    job: String,
    /// Take the whole definition from a JSON file (- for standard input); flags change it
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: SpecFlags,
}

impl Edit {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let job: Job = find(client, &self.job).await?;
        if self.file.is_none() && self.flags.is_empty() {
            return edit_by_hand(client, screen, &job).await;
        }
        let mut spec = match &self.file {
            Some(path) => spec_file::parse(&spec_file::read_text(path)?)?,
            None => job.spec.clone(),
        };
        self.flags.apply(client, &mut spec).await?;
        save(client, screen, &job, spec).await
    }
}

async fn save(
    client: &Client,
    screen: &mut Screen,
    job: &Job,
    spec: JobSpec,
) -> Result<(), Failure> {
    if spec == job.spec {
        screen.note("nothing changed");
        return Ok(());
    }
    check_schedule(&spec)?;
    let read_version = format!("\"{}\"", job.version);
    let answer = client
        .send_with::<Job>(
            Method::PUT,
            &format!("/jobs/{}", job.id),
            &JobReplace { spec },
            ("If-Match", &read_version),
        )
        .await?;
    if screen.is_json() {
        return screen.json(&answer.raw);
    }
    let saved = answer.value;
    screen.line(format_args!(
        "saved {}/{} as version {}",
        shown::plain(&saved.group_name),
        shown::plain(&saved.spec.name),
        saved.version
    ))
}

/// Lets a person change the definition as JSON. A refused one stays in its file.
async fn edit_by_hand(client: &Client, screen: &mut Screen, job: &Job) -> Result<(), Failure> {
    if !Screen::can_ask() {
        return Err(Failure::Input {
            field: "job edit".to_owned(),
            message: "there is no change, and no terminal for an editor".to_owned(),
            hint: "give flags or --file".to_owned(),
        });
    }
    let draft =
        std::env::temp_dir().join(format!("cronfleet-{}-{}.json", job.id, std::process::id()));
    write_draft(&draft, &job.spec)?;
    open_editor(&draft)?;
    let saved = match spec_file::read_text(&draft).and_then(|text| spec_file::parse(&text)) {
        Ok(spec) => save(client, screen, job, spec).await,
        Err(failure) => Err(failure),
    };
    match &saved {
        Ok(()) => drop(fs::remove_file(&draft)),
        Err(_) => screen.note(format_args!(
            "your text is kept: correct it and run \"cronfleet job edit {} --file {}\"",
            job.id,
            draft.display()
        )),
    }
    saved
}

/// Writes the definition into a new file that only its owner can read.
fn write_draft(draft: &Path, spec: &JobSpec) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(spec)
        .map_err(|error| Failure::system("encode the job", error))?;
    text.push(b'\n');
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .and_then(|mut file| file.write_all(&text))
        .map_err(|source| Failure::File {
            doing: "write",
            path: draft.to_owned(),
            source,
        })
}

/// Opens `$VISUAL` or `$EDITOR`, which may have arguments, and waits for its end.
fn open_editor(draft: &Path) -> Result<(), Failure> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        })
        .unwrap_or_else(|| "vi".to_owned());
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("exec {editor} \"$1\""))
        .arg("editor")
        .arg(draft)
        .status();
    let how = match status {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    Err(Failure::Program {
        program: editor,
        how,
    })
}
