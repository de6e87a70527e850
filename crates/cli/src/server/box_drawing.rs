//! A frame around the few lines that somebody who starts a server has to see.

use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;

/// Labels and values in a frame, under a title.
pub(super) fn framed(title: &str, lines: &[(&str, String)]) -> String {
    let width = lines
        .iter()
        .map(|(label, _)| label.len())
        .max()
        .unwrap_or(0);
    let mut text = format!("{title}\n");
    for (label, value) in lines {
        text.push_str(&format!("\n{label:<width$}  {value}"));
    }
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).add_row([text]);
    for column in table.column_iter_mut() {
        column.set_padding((2, 2));
    }
    table.trim_fmt()
}
