# shellcheck shell=bash
# A service from docker-compose.yml as a stand-in for a private one. Sourced after places.sh. The project name carries
# the checkout's mark, so that it never touches the containers or volumes of a deployed stack on the same machine.
# shellcheck disable=SC2154 # checkout and place_mark come from places.sh

local_compose() {
    docker compose --project-name "atelier-local-$place_mark" --file "$checkout/docker-compose.yml" "$@" >&2
}

docker_answers() {
    have docker && docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1
}

container_runs() {
    docker_answers &&
        [ -n "$(docker ps --quiet --filter "label=com.docker.compose.project=atelier-local-$place_mark" \
            --filter "label=com.docker.compose.service=$1")" ]
}
