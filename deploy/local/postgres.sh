#!/usr/bin/env bash
# postgres.sh up|down|status|url: a Postgres for this checkout alone.
#
# ATELIER__DATABASE__URL or DATABASE_URL, when set, is used as it is and never started or stopped. Otherwise: a private
# cluster from installed binaries; else the container of docker-compose.yml; else, on Debian and Ubuntu, the package is
# installed and then the private cluster. Progress goes to stderr, `url` prints the URL to stdout.
#
# The private cluster listens on loopback and on a socket only its user may open, and trusts whoever connects there:
# any local user of the machine can reach it, so it is for development and demonstration.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
. "$here/packages.sh"
. "$here/containers.sh"

# A caller's own libpq settings would send our probes elsewhere.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGSSLMODE PGOPTIONS PGDATA
given_url=${ATELIER__DATABASE__URL:-${DATABASE_URL:-}}
container_password=${ATELIER_POSTGRES_PASSWORD:-atelier}

# The folder of the newest complete set of server binaries.
find_binaries() {
    local dir best='' best_version=0 version
    for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
        /usr/local/opt/postgresql*/bin /usr/local/pgsql/bin "$(pg_config --bindir 2>/dev/null || true)" \
        "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/initdb)")"; do
        if ! [ -x "$dir/initdb" ] || ! [ -x "$dir/pg_ctl" ] || ! [ -x "$dir/postgres" ] || ! [ -x "$dir/psql" ]; then continue; fi
        version=$("$dir/postgres" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
        if [ "${version:-0}" -gt "$best_version" ]; then best=$dir best_version=$version; fi
    done
    # The schema is written for 15 and later.
    [ "$best_version" -ge 15 ] || return 1
    printf '%s\n' "$best"
}

# A cluster is only readable by the major version that made it.
binaries_for_cluster() {
    local version dir
    if ! as_owner test -s "$data/PG_VERSION"; then find_binaries; return; fi
    version=$(as_owner cat "$data/PG_VERSION")
    for dir in "/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin" "/opt/homebrew/opt/postgresql@$version/bin" \
        "/usr/local/opt/postgresql@$version/bin" "$(find_binaries || true)"; do
        [ -x "$dir/postgres" ] || continue
        case $("$dir/postgres" --version) in *" $version."* | *" $version "* | *" $version") printf '%s\n' "$dir"; return ;; esac
    done
    die "the cluster in '$data' was made by Postgres $version, which is no longer installed; install it or run make clean-data"
}

private_url() { printf 'postgres://postgres@127.0.0.1:%s/atelier\n' "$(cat "$place_dir/port")"; }
container_url() {
    printf 'postgres://atelier:%s@127.0.0.1:%s/atelier\n' "$container_password" "$(cat "$place_dir/container_port")"
}

# The processes that work in our data folder. Every Postgres process stands in it, so one of a stranger that happens to
# have the number in a stale postmaster.pid is told apart; without /proc the command line of the postmaster has to do.
cluster_processes() {
    local entry
    if [ -d /proc/self ]; then
        for entry in /proc/[0-9]*/cwd; do
            if [ "$(readlink "$entry" 2>/dev/null)" = "$data" ]; then entry=${entry%/cwd}; printf '%s\n' "${entry#/proc/}"; fi
        done
    else
        ps -Ao pid=,command= | MARK="-D $data" awk 'index($0, "postgres") && index($0, ENVIRON["MARK"]) { print $1 }'
    fi
}

postmaster_runs() {
    local pid
    pid=$(as_owner head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 1
    # Not grep -q: it ends at the first match, and the broken pipe would count as a failure.
    cluster_processes | grep -x "$pid" >/dev/null
}

create_cluster() {
    local locale
    locale=$(locale -a 2>/dev/null | grep -iE '^(C|en_US)\.utf-?8$' | sort | head -n 1) || true
    say "creating a private cluster in '$data' with $("$binaries/postgres" --version)"
    # A cluster whose creation was interrupted has no data worth keeping; initdb would refuse the leftovers.
    as_owner rm -rf "$data.new"
    as_owner "$binaries/initdb" --pgdata="$data.new" --username=postgres --auth=trust --encoding=UTF8 \
        --locale="${locale:-C}" >"$place_dir/initdb.log" 2>&1 ||
        { cat "$place_dir/initdb.log" >&2; die "initdb failed"; }
    printf "include_if_exists 'atelier.conf'\n" | as_owner tee -a "$data.new/postgresql.conf" >/dev/null
    as_owner mv "$data.new" "$data"
}

# fsync stays on: what the tests prove about crashes has to be true. 300 connections because every test has its own
# database and pool; a small WAL keeps the folder small.
write_settings() {
    as_owner mkdir -p -m 0700 "$place_dir/socket"
    as_owner tee "$data/atelier.conf" >/dev/null <<SETTINGS
listen_addresses = '127.0.0.1'
port = $1
unix_socket_directories = '$place_dir/socket'
unix_socket_permissions = 0700
max_connections = 300
min_wal_size = 80MB
max_wal_size = 512MB
timezone = 'UTC'
log_timezone = 'UTC'
SETTINGS
}

# After `kill -9` or a restart of the machine postmaster.pid and the socket's lock file may name a process that is a
# stranger now, or one that is dead and that nobody has waited for; Postgres takes either for itself. They are removed
# only when nothing at all works in the data folder.
drop_stale_locks() {
    if [ -n "$(cluster_processes)" ]; then return; fi
    as_owner find "$place_dir/socket" -name '.s.PGSQL.*' -delete
    as_owner rm -f "$data/postmaster.pid"
}

start_cluster() {
    local port tries=0
    port=$(remembered_port port no)
    write_settings "$port"
    # The children of a killed postmaster need a moment to notice, and hold its shared memory and its locks until then.
    until drop_stale_locks && as_owner "$binaries/pg_ctl" start --pgdata="$data" --log="$data/server.log" --wait \
        --timeout=60 >"$place_dir/pg_ctl.log" 2>&1 </dev/null; do
        tries=$((tries + 1))
        if [ $tries -ge 20 ] ||
            ! as_owner tail -n 5 "$data/server.log" | grep -e 'shared memory block' -e 'lock file .* already exists' >/dev/null; then
            as_owner tail -n 10 "$data/server.log" >&2 || true
            die "Postgres did not start; its log is '$data/server.log'"
        fi
        sleep 1
    done
    say "listening on 127.0.0.1:$port"
}

ensure_database() {
    local port tries=0
    port=$(cat "$place_dir/port")
    until "$binaries/pg_isready" --quiet --host=127.0.0.1 --port="$port"; do
        tries=$((tries + 1))
        if [ $tries -ge 60 ]; then die "Postgres on 127.0.0.1:$port does not answer; its log is '$data/server.log'"; fi
        sleep 1
    done
    local sql=("$binaries/psql" -X -q -A -t -v ON_ERROR_STOP=1 --host=127.0.0.1 --port="$port" --username=postgres --dbname=postgres)
    if [ "$("${sql[@]}" -c "select 1 from pg_database where datname = 'atelier'")" != 1 ]; then
        "${sql[@]}" -c 'create database atelier'
    fi
}

up_private() {
    binaries=$(binaries_for_cluster) || exit 1
    as_owner test -s "$data/PG_VERSION" || create_cluster
    if ! postmaster_runs; then start_cluster; fi
    ensure_database
}

up_container() {
    ATELIER_POSTGRES_PORT=$(remembered_port container_port "$(container_runs postgres && echo yes || echo no)")
    export ATELIER_POSTGRES_PORT ATELIER_POSTGRES_PASSWORD=$container_password
    say "starting the container of docker-compose.yml on 127.0.0.1:$ATELIER_POSTGRES_PORT"
    local_compose up --detach --wait postgres
}

up() {
    if [ -n "$given_url" ]; then
        check_given
    elif find_binaries >/dev/null || as_owner test -s "$data/PG_VERSION"; then
        up_private
    elif docker_answers; then
        up_container
    elif can_install; then
        install_postgres
        up_private
    else
        die "no Postgres 15 or later found. Install one (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@17), start Docker, or set DATABASE_URL"
    fi
}

check_given() {
    local dir
    dir=$(find_binaries) || dir=$(dirname "$(command -v pg_isready || echo /nowhere/x)")
    if [ ! -x "$dir/pg_isready" ]; then say "using the database given by the environment"; return; fi
    "$dir/pg_isready" --quiet --timeout=10 --dbname="$given_url" ||
        die "the database given by ATELIER__DATABASE__URL or DATABASE_URL does not answer"
}

# Debian's package creates and starts a default cluster unless it is told not to.
install_postgres() {
    local prefix setting=/etc/postgresql-common/createcluster.d/atelier-no-main-cluster.conf
    prefix=$(root_prefix) || die "cannot install packages: neither root nor sudo without a password"
    $prefix mkdir -p "$(dirname "$setting")"
    printf 'create_main_cluster = false\n' | $prefix tee "$setting" >/dev/null
    install_packages postgresql || { $prefix rm -f "$setting"; die "apt-get could not install postgresql"; }
    $prefix rm -f "$setting"
    # The package brings the user that the cluster runs as; the folder, still empty, was made for another.
    rm -f "$checkout/.atelier/postgres.place"
    rmdir "$place_dir" 2>/dev/null || true
    place postgres postgres nobody
    data=$place_dir/data
    find_binaries >/dev/null || die "the installed Postgres is older than 15; install a newer one or set DATABASE_URL"
}

down() {
    if [ -n "$given_url" ]; then return; fi
    if postmaster_runs; then
        binaries=$(binaries_for_cluster) || exit 1
        say "stopping"
        as_owner "$binaries/pg_ctl" stop --pgdata="$data" --mode=fast --wait --timeout=60 >/dev/null ||
            as_owner "$binaries/pg_ctl" stop --pgdata="$data" --mode=immediate --wait --timeout=30 >/dev/null
    elif [ -s "$place_dir/container_port" ] && container_runs postgres; then
        say "stopping the container"
        local_compose stop postgres
    fi
}

url() {
    if [ -n "$given_url" ]; then printf '%s\n' "$given_url"; return; fi
    if postmaster_runs; then private_url; return; fi
    if [ -s "$place_dir/container_port" ] && container_runs postgres; then container_url; return; fi
    die "not running; start it with '$0 up'"
}

# 0: ours and running. 1: not running. 2: given by the environment, nobody's to start or stop here.
status() {
    if [ -n "$given_url" ]; then return 2; fi
    postmaster_runs || { [ -s "$place_dir/container_port" ] && container_runs postgres; }
}

case ${1:-} in up | down | url | status) ;; *) die "usage: $0 up|down|url|status" ;; esac
if [ -z "$given_url" ]; then
    place postgres postgres nobody
    data=$place_dir/data
    case $1 in
        up | down)
            take_lock postgres
            trap 'drop_lock postgres' EXIT
            trap 'exit 130' INT
            trap 'exit 143' TERM HUP
            ;;
    esac
fi
"$1"
# A service that somebody starts or stops by hand is no longer with-services.sh's to stop.
case $1 in up | down) [ -n "${KEEP_MARK:-}" ] || rm -f "$checkout/.atelier/in-use/postgres.started" ;; esac
