#!/usr/bin/env bash
# Builds and runs every test. Run by with-services.sh, which gives the URLs. Arguments go to the test runner. The gallery is
# looked at in a browser where there is one; where REQUIRE_BROWSER is set, there must be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

unchecked=''
if ! deploy/local/browser.sh; then
    if [ -n "${REQUIRE_BROWSER:-}" ]; then exit 1; fi
    unchecked='NOT CHECKED: the gallery in a browser, for want of what is named above'
fi
# A test runner shows nothing of the tests that pass, so it is said at the end, whatever comes of them.
trap 'if [ -n "$unchecked" ]; then echo "$unchecked" >&2; fi' EXIT

# One build for programs and tests together: the tests of whole processes need the binaries of every crate.
cargo build --locked --workspace --bins --tests
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --profile "${NEXTEST_PROFILE:-default}" "$@"
    cargo test --locked --workspace --doc
else
    echo "cargo-nextest is not installed; using cargo test, which runs the crates one after the other" >&2
    cargo test --locked --workspace --no-fail-fast "$@"
fi
