#!/usr/bin/env bash
# check.sh [FOLDER]: verifies the units beside it (or in FOLDER) and refuses a unit that is less shut off than the
# limit. Works without the binaries installed and without systemd running.
set -euo pipefail
units=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)}

# What `systemd-analyze security` counts, times ten: an unprotected unit has 9.6 and ours 1.2, most of it for the
# network they need. The gap to the limit allows for other versions, which weigh differently.
limit=20

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/units" "$root/user"

# `verify` insists that programs, documentation and users exist, so copies of the units point at some that do. An instance
# stands for the template.
for unit in "$units"/*.service "$units"/*.target; do
    name=$(basename "$unit")
    sed -E -e 's#^ExecStart=/usr/local/bin/[^ ]+#ExecStart=/bin/true#' -e '/^Documentation=file:/d' \
        -e "s#^(User|Group)=atelier\$#\\1=$(if [[ $name == *.service ]]; then id -un; fi)#" "$unit" >"$root/units/$name"
done
cp -r "$units"/*.service.d "$root/units/"

failed=0
export SYSTEMD_UNIT_PATH=$root/units:/usr/lib/systemd/system:/lib/systemd/system
for name in atelier-migrate.service atelier-producer.service atelier@generate.service atelier@site.service atelier.target; do
    if ! output=$(systemd-analyze verify --man=no "$root/units/$name" 2>&1); then
        failed=1
        printf '%s: refused\n%s\n' "$name" "$output" >&2
    elif printf '%s' "$output" | grep -F "$root/units" >&2; then
        # A key that systemd does not know is only warned of, and ignored when the unit runs.
        failed=1
        printf '%s: warned of\n' "$name" >&2
    fi
done

for name in atelier-migrate.service atelier-producer.service atelier@.service; do
    # The user is put back: running as root weighs heavily.
    sed -E "s#^(User|Group)=.*#\\1=atelier#" "$root/units/$name" >"$root/user/$name"
    if ! systemd-analyze security --offline=true --threshold=$limit --no-pager "$root/user/$name" >"$root/report" 2>&1; then
        failed=1
        cat "$root/report" >&2
    fi
    printf '%s: %s\n' "$name" "$(tail -n 1 "$root/report")"
done
exit $failed
