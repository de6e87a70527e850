//! The calendars that are part of the program. Their days are data files beside the code.

use std::sync::{Arc, LazyLock};

use super::{Calendar, read};

const FILES: [(&str, &str); 2] = [
    (
        "weekdays",
        include_str!("../../data/calendars/weekdays.txt"),
    ),
    (
        "cn-workdays",
        include_str!("../../data/calendars/cn-workdays.txt"),
    ),
];

static PRESETS: LazyLock<Vec<Arc<Calendar>>> = LazyLock::new(|| {
    FILES
        .into_iter()
        .map(|(name, text)| {
            Arc::new(
                read(name, text)
                    .expect("the files are part of the program, and a test reads each of them"),
            )
        })
        .collect()
});

/// Every calendar that is part of the program.
pub fn presets() -> &'static [Arc<Calendar>] {
    &PRESETS
}

/// Their names, for hints.
pub fn preset_names() -> String {
    let names: Vec<&str> = presets()
        .iter()
        .map(|preset| preset.name.as_str())
        .collect();
    names.join(", ")
}

/// The one of this name.
pub fn preset(name: &str) -> Option<Arc<Calendar>> {
    PRESETS
        .iter()
        .find(|calendar| calendar.name == name)
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read() {
        for (name, text) in FILES {
            let calendar = read(name, text).unwrap();
            assert_eq!(calendar.name, name);
            assert_eq!(preset(name).as_deref(), Some(&calendar));
        }
        assert_eq!(preset("none"), None);
    }
}
