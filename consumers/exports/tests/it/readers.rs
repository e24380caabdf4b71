//! Other programs that read ZIPs: each that is installed must find every file whole, and nothing to warn of.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads each file in full, as it warns of nothing: what it finds duplicate or odd is an error.
const PYTHON: &str = "import sys,zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\n\
                      assert all(i.compress_type == zipfile.ZIP_STORED and i.flag_bits & 0x800 for i in z.infolist())\n\
                      print(len(z.namelist()))";

/// Has every reader that is installed check a ZIP of so many files. One that is not is named on standard error.
pub(crate) fn check(zip: &Path, files: usize) -> anyhow::Result<()> {
    let path = zip.to_str().expect("a temporary file has a plain name");
    // Where nothing is written to; libarchive has no test of its own.
    let readers: [(&str, &[&str], String); 4] = [
        ("unzip", &["-tq", path], "No errors detected".to_owned()),
        ("7z", &["t", path], format!("Files: {files}\n")),
        ("python3", &["-W", "error", "-X", "utf8", "-c", PYTHON, path], format!("{files}\n")),
        ("bsdtar", &["-xOf", path], String::new()),
    ];
    for (program, words, expected) in readers {
        let mut command = Command::new(program);
        command.args(words).env("LC_ALL", "C.UTF-8");
        if expected.is_empty() {
            // It is what is unpacked, as large as the ZIP.
            command.stdout(Stdio::null());
        }
        let output = match command.output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                writeln!(std::io::stderr(), "SKIPPED: {program} is not installed, so it has not read the ZIP")?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (said, complained) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        anyhow::ensure!(output.status.success(), "{program}: {}: {complained}", output.status);
        anyhow::ensure!(complained.is_empty(), "{program} complains: {complained}");
        if !expected.is_empty() {
            let said = String::from_utf8_lossy(&said);
            anyhow::ensure!(said.contains(&expected), "{program} does not say {expected:?}: {said}");
        }
    }
    Ok(())
}
