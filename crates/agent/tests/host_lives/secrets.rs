//! Secrets: they reach the process, nobody else, and not its output.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cronfleet_agent::host::{Host, LifeSecrets, LifeSpec, OutputPolicy};
use cronfleet_wire::secret::Secret;

use crate::rig::{Rig, config, finish, new_id, nobody, python, said, sh};

const VALUE: &str = "correct-horse-battery";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn with_secrets(spec: LifeSpec) -> LifeSpec {
    LifeSpec {
        secrets: LifeSecrets {
            environment: vec![("DB_PASSWORD".into(), secret(VALUE))],
            files: vec![(
                "db.key".into(),
                secret("first line of it\nsecond line of it\n"),
            )],
        },
        ..spec
    }
}

/// Whether any file below a directory holds a text.
fn is_anywhere(dir: &std::path::Path, text: &str) -> bool {
    let Ok(entries) = fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            return is_anywhere(&entry.path(), text);
        }
        kind.is_file()
            && fs::read(entry.path())
                .is_ok_and(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
    })
}

#[tokio::test]
async fn a_process_gets_its_secrets_and_its_output_has_none_of_them() {
    let rig = Rig::new();
    let mut spec = with_secrets(sh(
        "echo \"len ${#DB_PASSWORD}\"; echo \"it is $DB_PASSWORD.\"; \
         printf %s \"$DB_PASSWORD\" | base64; printf 'x%s' \"$DB_PASSWORD\" | base64; \
         cat $CRONFLEET_SECRETS_DIR/db.key; grep second $CRONFLEET_SECRETS_DIR/db.key >&2; \
         stat -c '%a %U' $CRONFLEET_SECRETS_DIR $CRONFLEET_SECRETS_DIR/db.key; tr '\\0' ' ' < /proc/$$/cmdline | grep -c 'horse-batter[y]'",
    ));
    spec.user = nobody();
    let run = rig.run(&spec).await;
    let text = run.text().to_owned();
    assert!(text.starts_with("len 21\nit is ***.\n"), "{text}");
    assert!(text.contains("700 nobody\n400 nobody\n"), "{text}");
    assert!(text.ends_with("\n0\n"), "not in the arguments: {text}");
    for part in [
        "horse",
        "Y29ycmVjdC1ob3JzZ",
        "jb3JyZWN0LWhvcnNl",
        "first line",
        "second line",
    ] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    assert_eq!(run.stderr, b"***\n");
    assert_eq!(
        run.exit.output_bytes,
        (run.stdout.len() + run.stderr.len()) as u64
    );
    assert!(!is_anywhere(&rig.path("spool"), "horse"));
    assert!(!format!("{spec:?}").contains(VALUE));
}

#[tokio::test]
async fn a_secret_that_is_written_in_pieces_is_blotted_out() {
    let rig = Rig::new();
    let mut spec = with_secrets(python(
        "import os, time\n\
         for byte in ('<' + os.environ['DB_PASSWORD'] + '>').encode():\n    \
             os.write(1, bytes([byte]))\n    \
             time.sleep(0.003)\n\
         os.write(1, os.environ['DB_PASSWORD'][:9].encode())\n",
    ));
    spec.output = OutputPolicy::Store {
        cap_bytes: 64 << 10,
        block_max: None,
    };
    let run = rig.run(&spec).await;
    assert_eq!(run.text(), "<***>correct-h", "the end is no secret");
}

#[tokio::test]
async fn files_are_gone_when_the_process_is() {
    let rig = Rig::new();
    let spec = with_secrets(sh("echo ready; exec sleep 60"));
    let id = new_id();
    let mut life = rig.host.arm(id, &spec).await.unwrap().go().await.unwrap();
    said(&mut life, "ready").await;
    let folder = rig.folder(id);
    let directory = fs::metadata(folder.join("secrets")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    assert_eq!(directory.uid(), spec.user.uid);
    life.control().stop().unwrap();
    finish(&mut life).await;
    assert!(!folder.join("secrets").exists());
}

#[tokio::test]
async fn nothing_is_put_on_a_disk() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let host = Host::open(config(dir.path())).unwrap();
    let refused = host.arm(new_id(), &with_secrets(sh("true"))).await;
    assert_eq!(refused.unwrap_err().code(), "secret_unavailable");
    assert!(!is_anywhere(dir.path(), "horse"));
    // Without secrets the same place will do.
    let life = host.arm(new_id(), &sh("true")).await.unwrap();
    life.abandon().await;
}
