#!/usr/bin/env bash
# Make the project usable in this folder: .venv with everything, and as root on Debian the programs that
# labs on the real kernel use. Says in one line each what it left out, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
extras="${1:-lab,mininet,test,bench}"

skip() {
    echo "left out: $*" >&2
    if [ "${CI:-}" = true ]; then exit 1; fi
}

missing_packages() {
    local package
    while read -r package; do
        case "$package" in '' | '#'*) continue ;; esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
    done <"$1"
}

lists=(binder/apt.txt)
case "$extras" in *test*) lists+=(scripts/apt-test.txt) ;; esac
if command -v dpkg-query >/dev/null; then
    for list in "${lists[@]}"; do
        mapfile -t packages < <(missing_packages "$list")
        if [ "${#packages[@]}" -eq 0 ]; then continue; fi
        if [ "$(id -u)" -ne 0 ]; then
            skip "Debian packages ${packages[*]} (only root may install them: apt-get install ${packages[*]})"
        elif ! { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}"; } >/dev/null; then
            skip "Debian packages ${packages[*]} (apt-get could not install them)"
        fi
    done
else
    skip "programs for the real kernel (this is not Debian; kubenet-course doctor says what is missing)"
fi

python="${PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed; $python is $("$python" --version 2>&1). Set PYTHON to one." >&2
    exit 1
fi
stamp=".setup/$extras-$(cat pyproject.toml "$0" | cksum | tr ' ' -)"
if [ -e "$stamp" ] && [ -x .venv/bin/python ]; then exit 0; fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$extras]"
case "$extras" in *lab*) .venv/bin/python -m kubenet_course.jupyter.install >/dev/null ;; esac
mkdir -p .setup
touch "$stamp"
