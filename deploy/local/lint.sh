#!/usr/bin/env bash
# Everything that is checked without running the product. A check whose tool is missing is named at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

missing=()
step() { printf '\n== %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

step formatting
cargo fmt --all -- --check

step lints
cargo clippy --locked --workspace --all-targets -- -D warnings

step documentation
RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

step "licences, bans, sources, advisories"
if cargo deny --version >/dev/null 2>&1; then
    status=0
    deploy/local/deny.sh || status=$?
    case $status in
        0) ;;
        3) missing+=("the advisory database (advisories NOT CHECKED)") ;;
        *) exit $status ;;
    esac
else
    missing+=("cargo-deny (cargo install --locked cargo-deny)")
fi

step scripts
scripts=(deploy/local/*.sh deploy/systemd/*.sh deploy/docker/*.sh .ci/run)
for script in "${scripts[@]}"; do bash -n "$script"; done
if have shellcheck; then
    shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
else
    missing+=("shellcheck (apt-get install shellcheck)")
fi

step "docker-compose.yml"
if have docker && docker compose version >/dev/null 2>&1; then
    docker compose config --quiet
else
    missing+=("docker compose")
fi

step "systemd units"
if have systemd-analyze; then
    deploy/systemd/check.sh
else
    missing+=("systemd-analyze")
fi

printf '\n' >&2
if [ ${#missing[@]} -gt 0 ]; then
    printf 'NOT CHECKED for want of: %s\n' "${missing[@]}" >&2
fi
echo "lint: all that was checked is clean" >&2
