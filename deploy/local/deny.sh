#!/usr/bin/env bash
# Licences, bans and sources of every dependency, and known vulnerabilities. Exits 0 when all was checked, 1 when
# something was found, and 3 when the first three are fine but there was no advisory database to check against.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The fuzz targets have a lock file of their own. What only they use is not shipped, so its doubles do not matter.
fuzz=(--manifest-path consumers/thumbnails/fuzz/Cargo.toml)
cargo deny --locked check --hide-inclusion-graph licenses bans sources
cargo deny "${fuzz[@]}" --config deny.toml --locked check --hide-inclusion-graph licenses sources

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A database that is not there is reported by these lines; a finding ends in "advisories FAILED". Whatever is neither
# counts as a failure.
unreachable='\[ERROR\] failed to (fetch advisory database|get .FETCH_HEAD. metadata)'
if cargo deny --locked check advisories >"$log" 2>&1; then
    tail -n 1 "$log"
elif ! grep -qE "$unreachable" "$log"; then
    cat "$log" >&2
    exit 1
elif cargo deny --offline --locked check advisories >"$log" 2>&1; then
    echo "NOTE: the advisory database cannot be fetched; checked against the copy fetched earlier" >&2
elif ! grep -qE "$unreachable" "$log"; then
    cat "$log" >&2
    exit 1
else
    echo "NOT CHECKED: advisories. The database at github.com/RustSec/advisory-db cannot be fetched and no copy is here" >&2
    exit 3
fi
