#!/usr/bin/env bash
# Checks that what a build needs is there and says what is missing. On Debian and Ubuntu a missing C compiler is
# installed (image codecs and cryptography have parts in C).
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
. "$here/packages.sh"

required=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$checkout/Cargo.toml")

if ! have cargo; then
    die "cargo is missing. Install Rust $required or later from https://rustup.rs, or, with rustup: rustup toolchain install stable"
fi
found=$(cd "$checkout" && rustc --version | awk '{print $2}')
oldest=$(printf '%s\n%s\n' "${found%%-*}" "$required" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)
if [ "$oldest" != "$required" ]; then
    die "rustc $found is too old, $required or later is needed; with rustup: rustup update stable"
fi

compiles() {
    local dir status=0
    dir=$(mktemp -d)
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$dir/probe.c"
    "${CC:-cc}" -o "$dir/probe" "$dir/probe.c" >/dev/null 2>&1 || status=1
    rm -rf "$dir"
    return $status
}

if ! compiles; then
    if [ -z "${CC:-}" ] && can_install; then install_packages gcc libc6-dev || true; fi
    compiles || die "no working C compiler. Install one (Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install) or set CC"
fi
