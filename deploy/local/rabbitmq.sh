#!/usr/bin/env bash
# rabbitmq.sh up|down|status|url: a RabbitMQ node for this checkout alone.
#
# ATELIER__BUS__URL, when set, is used as it is and never started or stopped. Otherwise: a private node from an installed
# RabbitMQ, with its own name, ports, folders, cookie and epmd, so that a system's own broker is never touched; else the
# container of docker-compose.yml; else, on Debian and Ubuntu, the package is installed and then the private node.
# Progress goes to stderr, `url` prints the URL to stdout.
# shellcheck disable=SC2317,SC2329 # functions that only traps call count as unreachable
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/places.sh"
. "$here/packages.sh"
. "$here/containers.sh"

given_url=${ATELIER__BUS__URL:-}
container_password=${ATELIER_RABBITMQ_PASSWORD:-atelier}
node=atelier_$place_mark@localhost

# Debian's /usr/sbin/rabbitmq-server insists on root and changes to the system's own folders; the script behind it
# does neither.
find_server() {
    local script
    for script in /usr/lib/rabbitmq/bin/rabbitmq-server /opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server \
        /usr/local/opt/rabbitmq/sbin/rabbitmq-server "$(command -v rabbitmq-server 2>/dev/null || true)"; do
        if [ -x "$script" ]; then printf '%s\n' "$script"; return; fi
    done
    return 1
}

# Only a broker answers the protocol header with a method frame, whose first byte is 1; an open port alone says little.
broker_answers() {
    local byte=''
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
        printf 'AMQP\000\000\011\001' >&3
        IFS= read -r -n 1 -t 5 byte <&3 && [ "$byte" = $'\001' ]
    ) 2>/dev/null
}

# The Erlang machine carries the node's name as an argument of ours, so a process number that was reused is not ours.
# Searching with the name as an argument would find the search.
node_pid() {
    local entry program
    if [ ! -d /proc/self ]; then
        ps -Ao pid=,command= |
            MARK="-atelier_node $node" awk '!found && index($0, ENVIRON["MARK"]) && /beam/ { print $1; found = 1 }'
        return
    fi
    for entry in $(printf '%s' "$node" | grep -lsF -f /dev/stdin /proc/[0-9]*/cmdline || true); do
        IFS= read -r -d '' program 2>/dev/null <"$entry" || continue
        case $program in *beam*) entry=${entry%/cmdline}; printf '%s\n' "${entry#/proc/}"; return ;; esac
    done
}

node_runs() { [ -n "$(node_pid)" ]; }

write_settings() {
    as_owner tee "$place_dir/rabbitmq.conf" >/dev/null <<SETTINGS
listeners.tcp.local = 127.0.0.1:$1
disk_free_limit.absolute = 64MB
log.console = false
SETTINGS
    printf '[].\n' | as_owner tee "$place_dir/enabled_plugins" >/dev/null
    as_owner touch "$place_dir/rabbitmq-env.conf"
    as_owner mkdir -p "$place_dir/mnesia" "$place_dir/log"
}

# Every variable the scripts read is given, for otherwise the system's /etc/rabbitmq would be.
node_environment=()
set_node_environment() {
    node_environment=(
        env -u NOTIFY_SOCKET -u ERL_LIBS -u ERL_FLAGS
        "HOME=$place_dir" LC_ALL=C.UTF-8
        "ERL_EPMD_PORT=$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1
        "ERL_CRASH_DUMP=$place_dir/erl_crash.dump"
        "RABBITMQ_NODENAME=$node" "RABBITMQ_DIST_PORT=$dist_port"
        "RABBITMQ_CONF_ENV_FILE=$place_dir/rabbitmq-env.conf"
        "RABBITMQ_CONFIG_FILE=$place_dir/rabbitmq.conf"
        "RABBITMQ_CONFIG_FILES=$place_dir/conf.d"
        "RABBITMQ_ADVANCED_CONFIG_FILE=$place_dir/advanced.config"
        "RABBITMQ_ENABLED_PLUGINS_FILE=$place_dir/enabled_plugins"
        "RABBITMQ_MNESIA_BASE=$place_dir/mnesia" "RABBITMQ_LOG_BASE=$place_dir/log"
        "RABBITMQ_PID_FILE=$place_dir/pid"
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -atelier_node $node"
    )
}

# The reason stands in the first lines that are errors; what follows is Erlang's account of everything it took down.
show_log() {
    { as_owner grep -F '[error]' "$place_dir/startup.log" || as_owner tail -n 12 "$place_dir/startup.log"; } |
        cat "$place_dir/launcher.log" - | head -n 12 >&2 || true
}

start_node() {
    local server=$1 tries=0
    node_port=$(remembered_port port no)
    dist_port=$(remembered_port dist_port no)
    # epmd outlives a killed node; its port stays right while it answers.
    epmd_port=$(remembered_port epmd_port yes)
    write_settings "$node_port"
    set_node_environment
    say "starting $node on 127.0.0.1:$node_port"
    # Job control gives the node a process group of its own, so that Ctrl-C reaches the caller's commands but not it.
    set -m
    # shellcheck disable=SC2016 # expanded by the owner's shell, which has to be the one that opens the log
    as_owner "${node_environment[@]}" sh -c 'exec "$0" >"$1" 2>&1 </dev/null' "$server" "$place_dir/startup.log" \
        2>"$place_dir/launcher.log" &
    launcher=$!
    set +m
    until broker_answers "$node_port"; do
        tries=$((tries + 1))
        if ! kill -0 "$launcher" 2>/dev/null; then
            show_log
            die "RabbitMQ ended while starting; its logs are '$place_dir/startup.log' and '$place_dir/log'"
        fi
        if [ $tries -ge 240 ]; then
            show_log
            stop_node
            die "RabbitMQ does not answer on 127.0.0.1:$node_port after 2 minutes"
        fi
        sleep 0.5
    done
    disown "$launcher"
    launcher=''
}

# Ctrl-C while the node starts must not leave it behind half started.
launcher=''
finish() {
    if [ -n "$launcher" ]; then kill -TERM -- "-$launcher" 2>/dev/null || true; fi
    drop_lock rabbitmq
}

stop_node() {
    local pid tries=0
    pid=$(node_pid)
    if [ -n "$pid" ]; then
        # The launching script, where there still is one, ends with the machine it waits for.
        as_owner kill -TERM "$pid" 2>/dev/null || true
        while [ "$(node_pid)" = "$pid" ]; do
            tries=$((tries + 1))
            if [ $tries -eq 120 ]; then say "no end after 60 s, killing it"; as_owner kill -KILL "$pid" || true; fi
            if [ $tries -gt 140 ]; then die "process $pid does not end"; fi
            sleep 0.5
        done
    fi
    stop_epmd
}

# Our epmd has a port of its own; it refuses to go while a node is registered, which takes a moment to be noticed.
stop_epmd() {
    local epmd port tries=0
    port=$(cat "$place_dir/epmd_port" 2>/dev/null) || return 0
    epmd=$(command -v epmd || find /usr/lib/erlang /opt/homebrew/lib/erlang /usr/local/lib/erlang -name epmd -type f 2>/dev/null | head -n 1)
    [ -n "$epmd" ] || return 0
    while port_is_open "$port" && [ $tries -lt 20 ]; do
        as_owner env ERL_EPMD_PORT="$port" "$epmd" -kill >/dev/null 2>&1 || true
        tries=$((tries + 1))
        port_is_open "$port" && sleep 0.25
    done
    return 0
}

up_private() {
    local server
    server=$(find_server)
    if node_runs; then
        broker_answers "$(cat "$place_dir/port")" && return
        say "$node runs but does not answer; restarting it"
        stop_node
    fi
    start_node "$server"
}

up_container() {
    ATELIER_RABBITMQ_PORT=$(remembered_port container_port "$(container_runs rabbitmq && echo yes || echo no)")
    ATELIER_RABBITMQ_ADMIN_PORT=$(remembered_port container_admin_port "$(container_runs rabbitmq && echo yes || echo no)")
    export ATELIER_RABBITMQ_PORT ATELIER_RABBITMQ_ADMIN_PORT ATELIER_RABBITMQ_PASSWORD=$container_password
    say "starting the container of docker-compose.yml on 127.0.0.1:$ATELIER_RABBITMQ_PORT"
    local_compose up --detach --wait rabbitmq
}

install_rabbitmq() {
    install_packages rabbitmq-server || die "apt-get could not install rabbitmq-server"
    disable_service rabbitmq-server.service epmd.service epmd.socket
    # The package brings the user that the node runs as; the folder, still empty, was made for another.
    rm -f "$checkout/.atelier/rabbitmq.place"
    rmdir "$place_dir" 2>/dev/null || true
    place rabbitmq rabbitmq nobody
}

up() {
    if [ -n "$given_url" ]; then
        say "using the broker given by ATELIER__BUS__URL"
    elif find_server >/dev/null; then
        up_private
    elif docker_answers; then
        up_container
    elif can_install; then
        install_rabbitmq
        up_private
    else
        die "no RabbitMQ found. Install one (Debian, Ubuntu: apt-get install rabbitmq-server; macOS: brew install rabbitmq), start Docker, or set ATELIER__BUS__URL"
    fi
}

down() {
    if [ -n "$given_url" ]; then return; fi
    if node_runs; then
        say "stopping $node"
        stop_node
    elif [ -s "$place_dir/container_port" ] && container_runs rabbitmq; then
        say "stopping the container"
        local_compose stop rabbitmq
    else
        stop_epmd
    fi
}

url() {
    if [ -n "$given_url" ]; then printf '%s\n' "$given_url"; return; fi
    if node_runs; then printf 'amqp://guest:guest@127.0.0.1:%s/%%2f\n' "$(cat "$place_dir/port")"; return; fi
    if [ -s "$place_dir/container_port" ] && container_runs rabbitmq; then
        printf 'amqp://atelier:%s@127.0.0.1:%s/%%2f\n' "$container_password" "$(cat "$place_dir/container_port")"
        return
    fi
    die "not running; start it with '$0 up'"
}

# 0: ours and running. 1: not running. 2: given by the environment, nobody's to start or stop here.
status() {
    if [ -n "$given_url" ]; then return 2; fi
    node_runs || { [ -s "$place_dir/container_port" ] && container_runs rabbitmq; }
}

case ${1:-} in up | down | url | status) ;; *) die "usage: $0 up|down|url|status" ;; esac
if [ -z "$given_url" ]; then
    place rabbitmq rabbitmq nobody
    case $1 in
        up | down)
            take_lock rabbitmq
            trap finish EXIT
            trap 'exit 130' INT
            trap 'exit 143' TERM HUP
            ;;
    esac
fi
"$1"
# A service that somebody starts or stops by hand is no longer with-services.sh's to stop.
case $1 in up | down) [ -n "${KEEP_MARK:-}" ] || rm -f "$checkout/.atelier/in-use/rabbitmq.started" ;; esac
