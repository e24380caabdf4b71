#!/usr/bin/env bash
# probe PORT PATH: succeeds when the daemon in this container answers the path with 200. The image has no HTTP client,
# and this is all it would be needed for.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
IFS= read -r -t 5 line <&3
[[ $line == 'HTTP/1.'[01]' 200 '* ]] || { printf '%s\n' "${line%$'\r'}" >&2; exit 1; }
