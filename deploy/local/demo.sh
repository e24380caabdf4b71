#!/usr/bin/env bash
# demo.sh [PICTURE...]: builds what the demonstration needs and becomes it. Run by with-services.sh, which gives the
# URLs. BUS=rabbitmq runs every daemon as a process of its own; ONCE=1 ends when all is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

packages=(--package atelier-standalone)
arguments=(demo)
if [ "${BUS:-postgres}" = rabbitmq ]; then
    for daemon in producer generate thumbnails exports index site; do packages+=(--package "atelier-$daemon"); done
    arguments+=(--daemons)
fi
# Without pictures of one's own, those that come with the project.
[ $# -gt 0 ] || set -- deploy/standalone/pictures
case ${ONCE:-} in '' | 0) ;; *) arguments+=(--once) ;; esac

cargo build --locked "${packages[@]}"
exec "${CARGO_TARGET_DIR:-target}/debug/atelier" "${arguments[@]}" "$@"
