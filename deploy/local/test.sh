#!/usr/bin/env bash
# Builds and runs every test. Run by with-services.sh, which gives the URLs. Arguments go to the test runner. The gallery is
# looked at in a browser where there is one; where REQUIRE_BROWSER is set, there must be. The other programs that tests use are
# installed where they can be.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
. "$here/packages.sh"
cd "$checkout"

unchecked=()
if ! deploy/local/browser.sh; then
    if [ -n "${REQUIRE_BROWSER:-}" ]; then exit 1; fi
    unchecked+=('the gallery in a browser, for want of what is named above')
fi
# ZIPs are read by the first three; the last makes clocks jump.
declare -A programs=([unzip]=unzip [7z]=p7zip-full [bsdtar]=libarchive-tools [faketime]=faketime)
missing_packages() { for program in "${!programs[@]}"; do have "$program" || echo "${programs[$program]}"; done; }
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ] && can_install; then install_packages "${missing[@]}" || true; fi
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then unchecked+=("what is checked with ${missing[*]}"); fi
# A test runner shows nothing of the tests that pass, so it is said at the end, whatever comes of them.
say_what_was_not_checked() {
    local what
    for what in "${unchecked[@]}"; do echo "NOT CHECKED: $what" >&2; done
}
trap say_what_was_not_checked EXIT

# One build for programs and tests together: the tests of whole processes need the binaries of every crate.
cargo build --locked --workspace --bins --tests
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --profile "${NEXTEST_PROFILE:-default}" "$@"
    cargo test --locked --workspace --doc
else
    echo "cargo-nextest is not installed; using cargo test, which runs the crates one after the other" >&2
    cargo test --locked --workspace --no-fail-fast "$@"
fi
