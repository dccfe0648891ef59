#!/bin/sh
# Makes a Debian 13 for Arm64 in a folder: what Raspberry Pi OS is made of, to compile against and to
# run under emulation. Needs root; takes some minutes, once.
#
#   make_system.sh FOLDER
set -eu

folder=$1
here=$(dirname "$0")
# A change of the packages makes it anew.
made_with=$(cat "$0" "$here/system-packages.txt" | sha256sum)
[ "$(cat "$folder/made_with" 2>/dev/null)" != "$made_with" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "error: $folder is not there, and making it needs root: sudo make arm64" >&2
    exit 1
fi

# Programs for Arm64 are run by qemu, also those that packages bring to set themselves up.
emulation=/proc/sys/fs/binfmt_misc
[ -e $emulation/status ] || mount -t binfmt_misc binfmt_misc $emulation
[ -e $emulation/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64

packages=$(sed 's/#.*//' "$here/system-packages.txt" | xargs | tr ' ' ',')
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
# Without bytecode: compiling it takes longer under emulation than all else here.
mmdebstrap --mode=root --variant=apt --architectures=arm64 --include="$packages" \
    --essential-hook='chroot "$1" dpkg-divert --quiet --rename --add /usr/bin/py3compile' \
    --essential-hook='ln -s true "$1/usr/bin/py3compile"' \
    trixie "$folder"
echo "$made_with" > "$folder/made_with"
