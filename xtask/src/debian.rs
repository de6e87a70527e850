//! Debian packages that tests need.

use anyhow::{Result, bail};

use crate::program::{Program, is_installed};

/// What the browser tests need: package, and a program or file that shows that it is there.
const PACKAGES: [(&str, &str); 2] = [
    ("chromium", "/usr/bin/chromium"),
    // Without it Chinese text is boxes, and screenshots prove nothing.
    ("fonts-noto-cjk", "/usr/share/fonts/opentype/noto"),
];

/// Installs what is missing where that is possible, and says what is missing where it is not.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, file)| !std::path::Path::new(file).exists())
        .map(|(package, _)| *package)
        .collect();
    install_packages(&missing)
}

/// Installs these packages where that is possible, and says so where it is not.
pub(crate) fn install_packages(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        println!("all there");
        return Ok(());
    }
    let is_root = Program::new("id").args(["-u"]).read()?.trim() == "0";
    if !is_root || !is_installed("apt-get") {
        bail!("install these packages: {}", missing.join(" "));
    }
    let apt = || Program::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "-q"]).run()?;
    apt()
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(missing)
        .run()
}
