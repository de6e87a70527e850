//! Passwords: asked for without an echo, or read from standard input.

use std::io::BufRead;

use clap::Args;
use dialoguer::Password;

use crate::failure::Failure;
use crate::screen::Screen;

/// Where a password comes from. Never from an argument: other users of the machine could read it.
#[derive(Args)]
pub(crate) struct PasswordSource {
    /// Read the password from standard input (one line; for two passwords, two lines)
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// A password that exists: asked for once.
    pub(crate) fn read(&self, prompt: &str) -> Result<String, Failure> {
        self.ask(prompt, false)
    }

    /// A new password: asked for twice.
    pub(crate) fn read_new(&self, prompt: &str) -> Result<String, Failure> {
        self.ask(prompt, true)
    }

    fn ask(&self, prompt: &str, is_new: bool) -> Result<String, Failure> {
        if self.password_stdin {
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| Failure::system("read the password", error))?;
            return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
        }
        if !Screen::can_ask() {
            return Err(Failure::Input {
                field: "password".to_owned(),
                message: "nobody is there to type the password".to_owned(),
                hint: "pipe it in with --password-stdin".to_owned(),
            });
        }
        let question = Password::new().with_prompt(prompt);
        let question = if is_new {
            question.with_confirmation("Again", "They differ.")
        } else {
            question
        };
        question
            .interact()
            .map_err(|error| Failure::system("ask for the password", error))
    }
}
