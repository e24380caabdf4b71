use std::fs;
use std::io;
use std::process::Command;

use anyhow::ensure;

#[test]
fn who_reads_what_is_printed_may_stop_at_any_time_and_a_command_ends_as_it_would_have() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let theme = |arguments: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        let mut atelier = Command::new(env!("CARGO_BIN_EXE_atelier"));
        let atelier = atelier.current_dir(folder.path()).env_remove("ATELIER_CONFIG").arg("theme").args(arguments);
        let ended = atelier.stdout(writer).output()?;
        Ok((ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned()))
    };
    for arguments in [["new", "mine"], ["check", "mine"]] {
        let (code, said) = theme(&arguments)?;
        ensure!(code == Some(0) && said.is_empty(), "{arguments:?}: {code:?} {said}");
    }
    fs::write(folder.path().join("mine/templates/about.html"), "{{ page.titel }}")?;
    let (code, said) = theme(&["check", "mine"])?;
    ensure!(code == Some(1) && said.is_empty(), "what it found is not lost: {code:?} {said}");
    Ok(())
}
