//! The Debian packages of a machine: the files of `packaging/debian` and the binaries, laid out as they will lie and
//! packed by `dpkg-deb`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::Made;
use super::relay::Machine;
use crate::reproducible::EPOCH;
use crate::shell::{self, Workspace};

/// A package: a binary and what lies beside it.
pub(super) struct Package {
    /// Its name, which is the binary's.
    pub(super) name: &'static str,
    /// What lies where, with its mode.
    files: &'static [(&'static str, &'static str, u32)],
    /// One line, and then paragraphs in the form of `control`.
    description: &'static str,
}

/// All of them.
pub(super) const PACKAGES: &[Package] = &[
    Package {
        name: "unpause",
        files: &[
            (
                "packaging/debian/unpause/unpause.service",
                "usr/lib/systemd/system/unpause.service",
                0o644,
            ),
            (
                "packaging/debian/unpause/unpause.socket",
                "usr/lib/systemd/system/unpause.socket",
                0o644,
            ),
            (
                "packaging/debian/unpause/unpause.toml",
                "usr/share/unpause/unpause.toml",
                0o644,
            ),
            ("README.md", "usr/share/doc/unpause/README.md", 0o644),
            ("SECURITY.md", "usr/share/doc/unpause/SECURITY.md", 0o644),
            ("CHANGELOG.md", "usr/share/doc/unpause/CHANGELOG.md", 0o644),
            ("LICENSE", "usr/share/doc/unpause/copyright", 0o644),
            // What README.md leads to, for whoever has nothing but the package.
            (
                "docs/alerts.md",
                "usr/share/doc/unpause/docs/alerts.md",
                0o644,
            ),
            (
                "docs/backup.md",
                "usr/share/doc/unpause/docs/backup.md",
                0o644,
            ),
            (
                "docs/doctor.md",
                "usr/share/doc/unpause/docs/doctor.md",
                0o644,
            ),
            (
                "docs/lead-lists.md",
                "usr/share/doc/unpause/docs/lead-lists.md",
                0o644,
            ),
            (
                "docs/packages.md",
                "usr/share/doc/unpause/docs/packages.md",
                0o644,
            ),
            (
                "docs/privacy.md",
                "usr/share/doc/unpause/docs/privacy.md",
                0o644,
            ),
            (
                "docs/providers/google.md",
                "usr/share/doc/unpause/docs/providers/google.md",
                0o644,
            ),
            (
                "docs/providers/microsoft.md",
                "usr/share/doc/unpause/docs/providers/microsoft.md",
                0o644,
            ),
            (
                "docs/refusals.md",
                "usr/share/doc/unpause/docs/refusals.md",
                0o644,
            ),
            (
                "docs/roles.md",
                "usr/share/doc/unpause/docs/roles.md",
                0o644,
            ),
            (
                "docs/server.md",
                "usr/share/doc/unpause/docs/server.md",
                0o644,
            ),
            (
                "docs/settings.md",
                "usr/share/doc/unpause/docs/settings.md",
                0o644,
            ),
            (
                "packaging/debian/unpause/postinst",
                "DEBIAN/postinst",
                0o755,
            ),
            ("packaging/debian/unpause/prerm", "DEBIAN/prerm", 0o755),
            ("packaging/debian/unpause/postrm", "DEBIAN/postrm", 0o755),
        ],
        description: "\
continues e-mail campaigns where a lost inbox stopped them
 The relay of Unpause sends the campaigns of one's own inboxes. When an inbox loses its
 connection, the campaign pauses, and one click in the browser's extension or on the relay's
 dashboard reconnects it; the campaign goes on exactly where it stopped, with nobody left out
 and nobody mailed twice.",
    },
    Package {
        name: "unpause-sandbox",
        files: &[
            (
                "packaging/debian/unpause-sandbox/unpause-sandbox.service",
                "usr/lib/systemd/system/unpause-sandbox.service",
                0o644,
            ),
            (
                "packaging/debian/unpause-sandbox/README.md",
                "usr/share/doc/unpause-sandbox/README.md",
                0o644,
            ),
            ("LICENSE", "usr/share/doc/unpause-sandbox/copyright", 0o644),
            (
                "docs/examples/steps.toml",
                "usr/share/doc/unpause-sandbox/examples/steps.toml",
                0o644,
            ),
            (
                "docs/examples/leads.csv",
                "usr/share/doc/unpause-sandbox/examples/leads.csv",
                0o644,
            ),
            (
                "packaging/debian/unpause-sandbox/postinst",
                "DEBIAN/postinst",
                0o755,
            ),
            (
                "packaging/debian/unpause-sandbox/prerm",
                "DEBIAN/prerm",
                0o755,
            ),
            (
                "packaging/debian/unpause-sandbox/postrm",
                "DEBIAN/postrm",
                0o755,
            ),
        ],
        description: "\
a mail provider in a box, for trying Unpause out
 Accounts, a sign-in page, SMTP, IMAP and a webmail page on this computer alone, where an
 inbox's connection can be taken away by a click. Not for anybody's mail.",
    },
];

/// Packs one.
pub(super) fn pack(
    workspace: &Workspace,
    package: &Package,
    machine: &Machine,
    version: &str,
    binary: &[u8],
) -> anyhow::Result<Made> {
    let name = format!("{}_{version}_{}", package.name, machine.debian);
    let stage = workspace.target.join("debian").join(&name);
    if stage.is_dir() {
        fs::remove_dir_all(&stage)
            .with_context(|| format!("{} cannot be emptied", stage.display()))?;
    }
    let mut n_bytes = binary.len();
    put(&stage, &format!("usr/bin/{}", package.name), binary, 0o755)?;
    for (from, to, mode) in package.files {
        let bytes = fs::read(workspace.root.join(from))
            .with_context(|| format!("{from} cannot be read"))?;
        n_bytes += bytes.len();
        put(&stage, to, &bytes, *mode)?;
    }
    let control = control(package, machine, version, n_bytes);
    put(&stage, "DEBIAN/control", control.as_bytes(), 0o644)?;
    let name = format!("{name}.deb");
    let packed = stage.with_file_name(&name);
    let mut command = workspace.program(
        "dpkg-deb",
        // xz by one thread: with more, the bytes depend on how many there are.
        &["--root-owner-group", "--threads-max=1", "-Zxz", "--build"],
    );
    command
        .arg(&stage)
        .arg(&packed)
        .env("SOURCE_DATE_EPOCH", EPOCH);
    shell::run(&mut command)?;
    let bytes =
        fs::read(&packed).with_context(|| format!("{} cannot be read", packed.display()))?;
    Ok(Made { name, bytes })
}

/// A file and the folders above it, with the modes that everybody's umask would change.
fn put(stage: &Path, to: &str, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let path = stage.join(to);
    let cannot = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
        for folder in folder
            .ancestors()
            .take_while(|folder| folder.starts_with(stage))
        {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).with_context(cannot)?;
        }
    }
    fs::write(&path, bytes).with_context(cannot)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).with_context(cannot)
}

/// The package's `control` (Debian Policy §5). The binary is static, so nothing of it depends on a library's version.
fn control(package: &Package, machine: &Machine, version: &str, n_bytes: usize) -> String {
    format!(
        "\
Package: {}
Version: {version}
Architecture: {}
Maintainer: The Unpause contributors <unpause@unpause.example>
Installed-Size: {}
Depends: adduser, init-system-helpers (>= 1.54)
Recommends: systemd
Section: mail
Priority: optional
Description: {}
",
        package.name,
        machine.debian,
        n_bytes.div_ceil(1024),
        package.description,
    )
}

#[cfg(test)]
mod tests {
    use super::super::relay::MACHINES;
    use super::*;

    #[test]
    fn what_is_packed_lies_in_the_checkout() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (from, _, _) in PACKAGES.iter().flat_map(|package| package.files) {
            assert!(root.join(from).is_file(), "{from}");
        }
    }

    #[test]
    fn the_units_name_what_is_installed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/debian/unpause");
        let read = |name| fs::read_to_string(root.join(name)).unwrap();
        let (service, socket) = (read("unpause.service"), read("unpause.socket"));
        let (template, made) = (read("unpause.toml"), read("postinst"));
        assert!(
            service.contains(
                "\nExecStart=/usr/bin/unpause serve --config /etc/unpause/unpause.toml\n"
            )
        );
        assert!(made.contains("/usr/share/unpause/unpause.toml /etc/unpause/unpause.toml"));
        // systemd makes the two folders that the configuration names, and the port is the one of the default.
        assert!(service.contains("\nStateDirectory=unpause unpause-keys\n"));
        assert!(template.contains("\ndata = \"/var/lib/unpause\"\n"));
        assert!(template.contains("\nkey_file = \"/var/lib/unpause-keys/unpause.key\"\n"));
        assert!(template.contains("\n# listen = \"127.0.0.1:7411\"\n"));
        assert!(socket.contains("\nListenStream=127.0.0.1:7411\n"));
    }

    #[test]
    fn the_control_file_has_what_debian_asks_for() {
        let text = control(&PACKAGES[0], &MACHINES[1], "1.2.3", 2049);
        for line in [
            "Package: unpause\n",
            "Version: 1.2.3\n",
            "Architecture: arm64\n",
            "Installed-Size: 3\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        // A line of the long description begins with a space, and none is empty (Debian Policy §5.6.13).
        assert!(text.ends_with('\n') && !text.contains("\n\n"));
    }
}
