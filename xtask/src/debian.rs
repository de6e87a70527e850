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
    let unattended = |name| Program::new(name).env("DEBIAN_FRONTEND", "noninteractive");
    // An installation that was broken off elsewhere would fail this one; done already, it is nothing.
    unattended("dpkg")
        .args(["--configure", "-a", "--force-confold"])
        .run()?;
    unattended("apt-get").args(["update", "-q"]).run()?;
    unattended("apt-get")
        .args(["install", "-q", "-y", "--no-install-recommends"])
        // Somebody else's installation may be under way.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(missing)
        .run()
}
