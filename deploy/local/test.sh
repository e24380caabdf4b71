#!/usr/bin/env bash
# Builds and runs every test. Run by with-services.sh, which gives the URLs. Arguments go to the test runner.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# One build for programs and tests together: the tests of whole processes need the binaries of every crate.
cargo build --locked --workspace --bins --tests
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --profile "${NEXTEST_PROFILE:-default}" "$@"
    cargo test --locked --workspace --doc
else
    echo "cargo-nextest is not installed; using cargo test, which runs the crates one after the other" >&2
    cargo test --locked --workspace --no-fail-fast "$@"
fi
