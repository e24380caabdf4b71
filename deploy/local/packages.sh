# shellcheck shell=bash
# Installing what is missing from the distribution, without leaving a default service behind. Sourced after places.sh.

root_prefix() {
    if [ "$(id -u)" = 0 ]; then return 0; fi
    have sudo && sudo -n true 2>/dev/null && printf 'sudo -n'
}

can_install() { have apt-get && root_prefix >/dev/null; }

# install_packages PACKAGE...: from Debian or Ubuntu. A policy-rc.d that answers 101 stops the packages' services from
# starting during the installation; one that is there already stays as it is.
install_packages() {
    local prefix policy=/usr/sbin/policy-rc.d made_policy=no status=0
    prefix=$(root_prefix) || return 1
    say "installing $* with apt-get"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $prefix tee "$policy" >/dev/null
        $prefix chmod 0755 "$policy"
        made_policy=yes
    fi
    {
        $prefix apt-get -q update &&
            $prefix env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
    } >&2 || status=$?
    if [ $made_policy = yes ]; then $prefix rm -f "$policy"; fi
    return $status
}

# The service of a package that we installed shall not come up at the next boot either.
disable_service() {
    local prefix
    prefix=$(root_prefix) || return 0
    if [ -d /run/systemd/system ]; then $prefix systemctl disable --now "$@" >/dev/null 2>&1 || true; fi
}
