#!/bin/sh
# Installs the Debian packages that the C++ side needs, where they are missing.
# Reads them from standard input, one a line; # starts a comment.
set -eu

wanted=$(sed 's/#.*//')
if ! command -v dpkg-query >/dev/null; then
    echo "note: not a Debian system; have these installed: $(echo $wanted)" >&2
    exit 0
fi

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "error: system packages are missing; install them: sudo apt-get install$missing" >&2
    exit 1
fi
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
