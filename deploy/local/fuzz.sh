#!/usr/bin/env bash
# Gives each fuzz target of the thumbnails crate so many seconds, from seeds that the project makes itself. Exits non-zero when
# one of them crashes, and names the file that did it. Usage: fuzz.sh [SECONDS]
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
. "$here/packages.sh"
cd "$checkout"

seconds=${1:-30}
crate=consumers/thumbnails/fuzz
target_dir=${CARGO_TARGET_DIR:-target}/fuzz

# libFuzzer itself is C++.
if ! have c++; then
    if can_install; then install_packages g++ || true; fi
    have c++ || die "no C++ compiler. Install one (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++)"
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

# What is fuzzed is what is shipped: the crate has a lock file of its own, and its versions are the workspace's.
versions() { awk '/^name = /{name=$3} /^version = /{print name, $3}' "$1" | tr -d '"' | sort; }
strays=$(comm -13 <(versions Cargo.lock) <(versions $crate/Cargo.lock) | grep -vE '^(arbitrary|libfuzzer-sys|atelier-.*) ' || true)
if [ -n "$strays" ]; then
    printf '%s/Cargo.lock has other versions than Cargo.lock; cargo update --precise brings them together:\n%s\n' "$crate" "$strays" >&2
    exit 1
fi

corpus=$target_dir/corpus
# Coverage needs no unstable option, so this is the stable compiler. Nor is a sanitizer of use here: the decoders are Rust, with
# checked arithmetic, and libFuzzer holds time and memory itself.
options=(--fuzz-dir "$crate" --target-dir "$target_dir" --dev --strip-dead-code --sanitizer none)
cargo metadata --locked --format-version 1 --manifest-path $crate/Cargo.toml >/dev/null
ATELIER_FUZZ_SEEDS=$(realpath -m "$corpus/seeds") cargo fuzz run "${options[@]}" seeds
for target in gate render; do
    mkdir -p "$corpus/$target"
    cargo fuzz run "${options[@]}" "$target" "$corpus/$target" "$corpus/seeds" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1
done
