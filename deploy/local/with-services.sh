#!/usr/bin/env bash
# with-services.sh run|test SERVICE... -- COMMAND...: starts the services that are not running (postgres, rabbitmq),
# runs the command with their URLs in its environment, and exits with the command's status. `run` gives the URLs as
# settings of the daemons, `test` as ATELIER_TEST_DATABASE_URL and ATELIER_TEST_AMQP_URL.
#
# Services that were started here are stopped when the last command that uses them has ended, however it ended;
# services that were running already are left alone.
# shellcheck disable=SC2317,SC2329 # functions that only traps call count as unreachable
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/places.sh"

mode=${1:-}
shift || true
services=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in postgres | rabbitmq) services+=("$1") ;; *) die "unknown service '$1': postgres or rabbitmq" ;; esac
    shift
done
case $mode in run | test) ;; *) mode='' ;; esac
if [ -z "$mode" ] || [ $# -lt 2 ] || [ ${#services[@]} -eq 0 ]; then die "usage: $0 run|test SERVICE... -- COMMAND..."; fi
shift

in_use=$checkout/.atelier/in-use

# Tests make and drop databases, so they never get the database a developer happens to have in DATABASE_URL.
if [ "$mode" = test ]; then
    unset DATABASE_URL
    export ATELIER__DATABASE__URL=${ATELIER_TEST_DATABASE_URL:-} ATELIER__BUS__URL=${ATELIER_TEST_AMQP_URL:-}
fi

start_services() {
    local service status
    for service in "${services[@]}"; do
        status=0
        "$here/$service.sh" status || status=$?
        # Marked before it starts: if we are killed halfway, the next command to end stops it.
        if [ $status -eq 1 ]; then touch "$in_use/$service.started"; fi
        KEEP_MARK=yes "$here/$service.sh" up
    done
}

others_live() {
    local entry
    for entry in "$in_use"/*.user; do
        [ -e "$entry" ] || continue
        if process_lives "$(basename "$entry" .user)"; then return 0; fi
        rm -f "$entry"
    done
    return 1
}

leave() {
    # A second Ctrl-C must not leave the services half stopped.
    trap '' INT TERM HUP
    [ "$locked" = yes ] || take_lock services
    rm -f "$in_use/$$.user"
    if ! others_live; then
        local mark service
        for mark in "$in_use"/*.started; do
            [ -e "$mark" ] || continue
            service=$(basename "$mark" .started)
            "$here/$service.sh" down || say "$service could not be stopped"
        done
    fi
    drop_lock services
}

mkdir -p "$in_use"
child=''
locked=no
interrupted=''
forward() {
    interrupted=$1
    if [ -n "$child" ]; then kill "-$1" -- "-$child" 2>/dev/null || true; else exit $((128 + $2)); fi
}
trap leave EXIT
trap 'forward INT 2' INT
trap 'forward TERM 15' TERM
trap 'forward HUP 1' HUP

take_lock services
locked=yes
touch "$in_use/$$.user"
start_services
# Empty where it was not asked for; an empty URL of the bus means that Postgres is the bus.
database='' bus=''
case " ${services[*]} " in *" postgres "*) database=$("$here/postgres.sh" url) ;; esac
case " ${services[*]} " in *" rabbitmq "*) bus=$("$here/rabbitmq.sh" url) ;; esac
drop_lock services
locked=no

# Only the command sees these: in our own environment they would look to `down` like services that the caller gave.
environment=(env -u DATABASE_URL)
if [ "$mode" = test ]; then
    # A developer's own settings must not decide whether a test passes.
    for variable in $(compgen -e ATELIER_); do environment+=(-u "$variable"); done
    environment+=("ATELIER_TEST_DATABASE_URL=$database" "ATELIER_TEST_AMQP_URL=$bus")
else
    environment+=("ATELIER__DATABASE__URL=$database" "ATELIER__BUS__URL=$bus")
fi

# The command gets a process group of its own and every signal is handed on to all of it: a shell that waits for a
# command in the foreground would sleep through a SIGTERM. `wait` returns early when a signal arrives, so it is asked
# again until it returned for the child's sake.
set -m
"${environment[@]}" "$@" </dev/null &
child=$!
set +m
status=0
while :; do
    interrupted=''
    wait "$child" && status=0 || status=$?
    [ -n "$interrupted" ] || break
done
child=''
exit "$status"
