#!/usr/bin/env bash
# Installs what a part needs from Debian's or Ubuntu's packages; without the rights, prints the exact line to run.
# usage: scripts/need.sh [build] [console] [test]
set -euo pipefail

packages=()
wishes=()
want() { # want PACKAGE TEST...: wants PACKAGE unless TEST succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}
wish() { # wish PACKAGE TEST...: as want, but things work without it
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || wishes+=("$package")
}
library() { pkg-config --exists "$1"; }
installed() { dpkg -s "$1" | grep -q '^Status: install ok installed'; }

for part in "$@"; do
    case $part in
    build)
        want build-essential command -v c++
        # Without it the video codec is built without its assembly and takes three times as long for a picture.
        wish nasm command -v nasm
        ;;
    console)
        want pkg-config command -v pkg-config
        want libudev-dev library libudev
        want libwayland-dev library wayland-client
        want libxkbcommon-dev library xkbcommon
        want libxkbcommon-x11-0 installed libxkbcommon-x11-0
        want mesa-vulkan-drivers installed mesa-vulkan-drivers
        ;;
    test)
        want chromium sh -c 'command -v chromium || command -v google-chrome || command -v chromium-browser'
        want coturn command -v turnserver
        want faketime command -v faketime
        want nodejs command -v node
        want npm command -v npm
        want opencv-data ls /usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml
        want python3-venv sh -c 'python3 -c "import venv, ensurepip"'
        want postgresql sh -c "ls /usr/lib/postgresql/*/bin/initdb"
        want xvfb command -v Xvfb
        ;;
    *)
        echo "need.sh: unknown part $part" >&2
        exit 2
        ;;
    esac
done

if ! command -v cargo >/dev/null; then
    echo "takeover needs Rust; install it from https://rustup.rs and run this again." >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; then
    packages+=("${wishes[@]}")
elif [ ${#wishes[@]} -gt 0 ]; then
    echo "slower without: ${wishes[*]} (install it before the first build)" >&2
fi
[ ${#packages[@]} -eq 0 ] && exit 0

mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
line="apt-get install -y --no-install-recommends ${packages[*]}"
if ! command -v apt-get >/dev/null; then
    echo "takeover needs these packages (Debian's names): ${packages[*]}" >&2
    exit 1
elif [ "$(id -u)" -eq 0 ]; then
    echo "installing: ${packages[*]}" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null
elif sudo -n true 2>/dev/null; then
    echo "installing: ${packages[*]}" >&2
    sudo apt-get update -qq
    sudo DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null
else
    echo "takeover needs a few packages. Run this line, then try again:" >&2
    echo "  sudo apt-get update && sudo $line" >&2
    exit 1
fi
