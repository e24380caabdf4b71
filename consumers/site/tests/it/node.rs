//! Scripts of the page, run by node.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where it is set, a check that cannot be made is a failure.
const REQUIRED: &str = "REQUIRE_BROWSER";

/// What a script beside these tests makes of what it is told; none where there is nothing to run it with, which is said.
pub(crate) fn run(script: &str, told: &Value) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let node = Command::new("node").arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut node = match node {
        Ok(node) => node,
        Err(error) if std::env::var_os(REQUIRED).as_deref().is_none_or(OsStr::is_empty) => {
            writeln!(std::io::stderr(), "NOT CHECKED for want of node 18 or newer: {error}")
                .expect("standard error is open");
            return None;
        }
        Err(error) => panic!("{script} cannot be tried for want of node 18 or newer: {error}"),
    };
    let mut input = node.stdin.take().expect("it was asked for");
    input.write_all(told.to_string().as_bytes()).expect("the script reads");
    drop(input);
    let output = node.wait_with_output().expect("it is a child of this process");
    assert!(output.status.success(), "{script} failed, see above");
    Some(serde_json::from_slice(&output.stdout).expect("the script answers with JSON"))
}
