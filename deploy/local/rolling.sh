#!/usr/bin/env bash
# Updates an installation of an older commit to this one, daemon by daemon, and takes it back. Run by with-services.sh, which
# gives the URLs. Usage: rolling.sh COMMIT
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
cd "$checkout"

commit=$(git rev-parse --verify --quiet "$1^{commit}") || die "'$1' is no commit of this repository"
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
older=$target_dir/older
sources=$older/sources
say "building the daemons of $(git show --no-patch --format='%h, %s' "$commit")"
git worktree prune
if [ -e "$sources/.git" ]; then
    git -C "$sources" checkout --quiet --detach "$commit"
else
    git worktree add --quiet --detach "$sources" "$commit"
fi
# Into a folder of their own: cargo takes what two checkouts build in one folder for the same.
(cd "$sources" && CARGO_TARGET_DIR=$older cargo build --locked --workspace --bins)
cargo build --locked --workspace --bins
ATELIER_OLDER=$older/debug cargo test --locked --package atelier-e2e --test it -- rolling:: --ignored --nocapture --test-threads=1
