//! The counts that test runners print, added up.

/// How many tests passed, failed, and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that did not run.
    pub(crate) skipped: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// The summary lines in the output of a test runner, without colours: cargo-nextest's `Summary`, cargo test's
/// `test result`, vitest's `Tests`, and the count lines of Node's own runner.
pub(crate) fn summary_lines(output: &str) -> Vec<String> {
    output
        .lines()
        .map(|line| without_colours(line).trim().to_owned())
        .filter(|line| {
            let is_summary = ["Summary [", "test result: ", "Tests  "]
                .iter()
                .any(|start| line.starts_with(start));
            is_summary || node_count(line).is_some()
        })
        .collect()
}

/// The counts in one summary line: each number that stands before `passed`, `failed`, `timed out`, `skipped`, `ignored`
/// or `todo`, or a line of Node's own runner.
pub(crate) fn count(line: &str) -> Tally {
    if let Some(tally) = node_count(line) {
        return tally;
    }
    let words: Vec<&str> = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut tally = Tally::default();
    for pair in words.windows(2) {
        let Ok(number) = pair[0].parse::<u64>() else {
            continue;
        };
        match pair[1] {
            "passed" => tally.passed += number,
            "failed" | "timed" => tally.failed += number,
            "skipped" | "ignored" | "todo" => tally.skipped += number,
            _ => {}
        }
    }
    tally
}

/// `# pass 12`, `ℹ fail 0`: one count of Node's own runner.
fn node_count(line: &str) -> Option<Tally> {
    let rest = line
        .strip_prefix("# ")
        .or_else(|| line.strip_prefix("ℹ "))?;
    let (word, number) = rest.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let mut tally = Tally::default();
    match word {
        "pass" => tally.passed = number,
        "fail" | "cancelled" => tally.failed = number,
        "skipped" | "todo" => tally.skipped = number,
        _ => return None,
    }
    Some(tally)
}

/// The text without terminal escapes.
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_every_runner_are_read() {
        let cases = [
            (
                "Summary [   1.2s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped",
                (11, 1, 3),
            ),
            (
                "Summary [   1.2s] 12 tests run: 10 passed, 1 failed, 1 timed out, 0 skipped",
                (10, 2, 0),
            ),
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out",
                (3, 0, 1),
            ),
            ("Tests  1 failed | 44 passed | 2 skipped (47)", (44, 1, 2)),
            ("# pass 5", (5, 0, 0)),
            ("ℹ cancelled 1", (0, 1, 0)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            assert_eq!(
                count(line),
                Tally {
                    passed,
                    failed,
                    skipped
                },
                "{line}"
            );
        }
    }

    #[test]
    fn summary_lines_are_found_behind_colours() {
        let output = "\u{1b}[32m     Summary\u{1b}[0m [   1.2s] 1 test run: 1 passed, 0 skipped\n\
                      Test Files  1 passed (1)\n\u{1b}[2m      Tests \u{1b}[22m \u{1b}[32m3 passed\u{1b}[39m (3)\n\
                      # Subtest: signs in\n# tests 2\n# pass 2\n# fail 0\n# duration_ms 12.5\n";
        let lines = summary_lines(output);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(count(&lines[1]).passed, 3);
    }
}
