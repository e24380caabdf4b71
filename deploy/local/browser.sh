#!/usr/bin/env bash
# Makes ready for looking at the gallery in a browser: Node, Chromium, and the packages that deploy/e2e/browser pins. On Debian
# and Ubuntu what is missing is installed. Fails where something is missing then, and says how to get it.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
. "$here/packages.sh"

oldest_node=18
node_is_new_enough() { have node && [ "$(node -p 'parseInt(process.versions.node)')" -ge $oldest_node ]; }
have_chromium() {
    if [ -n "${CHROMIUM:-}" ]; then
        [ -x "$CHROMIUM" ]
    else
        have chromium || have chromium-browser || have google-chrome-stable || have google-chrome
    fi
}

wanted=()
have node || wanted+=(nodejs)
have npm || wanted+=(npm)
[ -n "${CHROMIUM:-}" ] || have_chromium || wanted+=(chromium)
if [ ${#wanted[@]} -gt 0 ] && can_install; then install_packages "${wanted[@]}" || true; fi

node_is_new_enough || die "node $oldest_node or newer is missing (apt-get install nodejs npm, or https://nodejs.org)"
have npm || die "npm is missing (apt-get install npm)"
have_chromium || die "chromium is missing (apt-get install chromium, or set CHROMIUM to the program)"

scripts=$checkout/deploy/e2e/browser
# What npm installed last says so itself.
if ! cmp -s "$scripts/package-lock.json" "$scripts/node_modules/.installed"; then
    (cd "$scripts" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
        die "the packages of deploy/e2e/browser could not be installed (npm ci)"
    cp "$scripts/package-lock.json" "$scripts/node_modules/.installed"
fi
