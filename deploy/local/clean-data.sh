#!/usr/bin/env bash
# Stops the private services and deletes everything this checkout keeps: their data, the bucket and the deployed site.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/places.sh"
. "$here/containers.sh"

# What the environment gives is not ours to stop, let alone to delete.
unset DATABASE_URL ATELIER__DATABASE__URL ATELIER__BUS__URL

for service in postgres rabbitmq; do
    remembered=$checkout/.atelier/$service.place
    [ -s "$remembered" ] || continue
    "$here/$service.sh" down
    place_dir=$(cat "$remembered")
    case $place_dir in
        "$checkout/.atelier/$service" | */"atelier-$place_mark-"*"$service") rm -rf "$place_dir" ;;
        *) die "'$remembered' names '$place_dir', which no script here would have made; delete it by hand" ;;
    esac
done
if docker_answers; then local_compose down --volumes; fi
rm -rf "$checkout/.atelier"
