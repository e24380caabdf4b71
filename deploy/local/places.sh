# shellcheck shell=bash
# Where a private service keeps its data, and which user runs it. Sourced by postgres.sh, rabbitmq.sh and
# with-services.sh; after `place SERVICE USERS` these are set:
#   place_dir    folder of the service, owned by place_user
#   place_user   who the service runs as
#   place_mark   a number that is the same for one checkout and differs between checkouts

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
place_mark=$(printf '%s' "$checkout" | cksum | cut -d' ' -f1)

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as place_user, from / because that user may not be able to stand in our folder.
as_owner() {
    if [ "$place_user" = "$(id -un)" ]; then (cd / && "$@"); return; fi
    if have runuser; then (cd / && runuser -u "$place_user" -- "$@"); return; fi
    if have setpriv; then
        (cd / && setpriv --reuid="$place_user" --regid="$(id -g "$place_user")" --init-groups "$@")
        return
    fi
    (cd / && su -s /bin/bash "$place_user" -c "$(printf '%q ' "$@")")
}

# Minimal images have no ps, other systems have no /proc; kill -0 fails for a living process of somebody else. What is
# dead but was not waited for does not live: the first process of a container often waits for nobody.
process_lives() {
    if [ ! -d /proc/self ]; then ps -p "$1" >/dev/null 2>&1; return; fi
    [ -d "/proc/$1" ] && ! grep '^State:[[:space:]]*Z' "/proc/$1/status" >/dev/null 2>&1
}

# The first of the named users that exists; servers refuse root or should not have it.
service_user() {
    if [ "$(id -u)" != 0 ]; then id -un; return; fi
    local name
    for name in "$@"; do
        if id "$name" >/dev/null 2>&1; then printf '%s\n' "$name"; return; fi
    done
    die "running as root and none of these users exists to run the service as: $*"
}

# True when place_user owns the folder and can reach and write it. A folder in a shared temporary directory could
# have been planted by somebody else, so one that is a link or belongs to another user is never used.
claim_folder() {
    local dir=$1
    [ ! -L "$dir" ] || return 1
    if [ ! -d "$dir" ]; then mkdir -p "$dir" 2>/dev/null || return 1; fi
    [ -O "$dir" ] || [ "$(find "$dir" -prune -user "$place_user")" = "$dir" ] || return 1
    if [ "$(id -u)" = 0 ]; then chown "$place_user" "$dir" 2>/dev/null || return 1; fi
    chmod 0750 "$dir" 2>/dev/null || return 1
    # Erlang and libpq choke on unusual characters, and a Unix socket's path holds about a hundred bytes.
    case $dir in *[!A-Za-z0-9._/-]*) return 1 ;; esac
    [ ${#dir} -le 80 ] || return 1
    as_owner test -w "$dir" -a -x "$dir"
}

# place SERVICE USER...: the folder chosen once is remembered in .atelier/SERVICE.place, so that later calls find the
# same data even if the checkout has become reachable in the meantime.
place() {
    local service=$1 remembered candidate
    shift
    place_user=$(service_user "$@") || exit 1
    mkdir -p "$checkout/.atelier" || die "cannot create '$checkout/.atelier'"
    remembered=$checkout/.atelier/$service.place
    if [ -f "$remembered" ]; then
        place_dir=$(cat "$remembered")
        if claim_folder "$place_dir"; then return; fi
        say "'$place_dir' can no longer be used by user '$place_user'; choosing another folder"
    fi
    for candidate in "$checkout/.atelier/$service" "/var/lib/atelier-$place_mark-$service" \
        "${TMPDIR:-/tmp}/atelier-$place_mark-$(id -u)-$service" "/tmp/atelier-$place_mark-$(id -u)-$service"; do
        if ! claim_folder "$candidate"; then
            # Only what this call made and nobody filled is taken away again.
            rmdir "$candidate" 2>/dev/null || true
            continue
        fi
        place_dir=$candidate
        if [ "$candidate" != "$checkout/.atelier/$service" ]; then
            say "'$checkout/.atelier/$service' cannot be used by user '$place_user'; keeping the data in '$candidate'"
        fi
        printf '%s\n' "$candidate" >"$remembered" || die "cannot write '$remembered'"
        return
    done
    die "no folder found that user '$place_user' can write; set TMPDIR to one with a plain, short path"
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port nobody listens on, below the range from which systems pick the ports of outgoing connections.
free_port() {
    local port tries=0
    while [ $tries -lt 200 ]; do
        port=$((20000 + RANDOM % 10000))
        if ! port_is_open "$port"; then printf '%s\n' "$port"; return; fi
        tries=$((tries + 1))
    done
    die "no free port found between 20000 and 29999"
}

# remembered_port NAME RUNNING: the port in place_dir/NAME; a new one when there is none yet, or when the service is
# down and a stranger has taken the port since.
remembered_port() {
    local file=$place_dir/$1 running=$2 port=''
    if [ -s "$file" ]; then port=$(cat "$file"); fi
    if [ -z "$port" ] || { [ "$running" = no ] && port_is_open "$port"; }; then
        port=$(free_port) || exit 1
        printf '%s\n' "$port" >"$file"
    fi
    printf '%s\n' "$port"
}

# take_lock NAME: one `up` or `down` per service at a time. mkdir is atomic everywhere, flock is not on every system. A
# lock whose holder died is taken over; one without a holder's number was left by a process killed in between.
take_lock() {
    local lock=$checkout/.atelier/$1.lock tries=0 holder
    mkdir -p "$checkout/.atelier"
    until mkdir "$lock" 2>/dev/null; do
        holder=$(cat "$lock/pid" 2>/dev/null || true)
        if [ -n "$holder" ] && ! process_lives "$holder"; then rm -rf "$lock"; continue; fi
        if [ -z "$holder" ] && [ $tries -ge 10 ]; then rm -rf "$lock"; continue; fi
        tries=$((tries + 1))
        [ $tries -le 600 ] || die "waited 10 minutes for process $holder, which holds '$lock'"
        sleep 1
    done
    printf '%s\n' $$ >"$lock/pid"
}

drop_lock() { rm -rf "$checkout/.atelier/$1.lock"; }
