#!/usr/bin/env bash
# Tries the committed tree on bare systems, as a newcomer would: Debian in a folder of its own, with nothing but
# make, python3, git and ca-certificates.
#
#   scripts/elsewhere.sh [SUITE ...]      bookworm and trixie if none is named
#
# TESTS=quick (default: the tests), demo (make demo alone), slow (with the long sweeps), or words for pytest such as tests/graph;
# KERNELS="Haswell Prescott" runs the tests under those kernels of linear algebra too; WRITE=1 puts the table into
# docs/compatibility.md. ELSEWHERE_DIR is where the systems go (a temporary folder, removed afterwards, if not given).
#
# Needs root and the network. Certificates, proxies, apt's sources and pip's settings are this machine's.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$(pwd -P)
say() { printf '%s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

[ "$(uname -s)" = Linux ] || fail "Bare systems are made with debootstrap, which runs on Linux only."
[ "$(id -u)" = 0 ] || fail "Bare systems are made by root: run this as root."
if ! command -v debootstrap >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap; } >/dev/null 2>&1 ||
        fail "debootstrap is missing and could not be installed: run 'apt-get install debootstrap' as root, or check the network."
fi
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/ Debian Debian$//p' | head -n 1)}
[ -n "$mirror" ] || fail "apt's settings name no archive of Debian: give its address as MIRROR."

kept=${ELSEWHERE_DIR:-}
folder=${kept:-$(mktemp -d)}
mkdir -p "$folder"
rows=$(mktemp)
system=

# Takes the mounts of a system away, the last first. A system that has one left is never removed: the mount is this machine's.
release() {
    [ -n "$1" ] || return 0
    awk -v top="$1/" 'index($2, top) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
        umount "$place" 2>/dev/null || umount -l "$place"
    done
    ! awk -v top="$1/" 'index($2, top) == 1 { found = 1 } END { exit !found }' /proc/mounts
}
forget() { release "$1" && rm -rf --one-file-system "$1"; }
finish() {
    trap - EXIT INT TERM
    release "$system"
    rm -f "$rows"
    if [ -z "$kept" ]; then
        for made in "$folder"/*/; do [ -d "$made" ] && forget "${made%/}"; done
        rmdir "$folder" 2>/dev/null || say "Left behind: $folder"
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM

inside() { env -i HOME="$HOME" PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LC_ALL=C.UTF-8 "${settings[@]}" chroot "$system" "$@"; }

# What this machine tells programs about proxies, certificates and pip; CI, so that nothing asks.
settings=()
while IFS= read -r name; do
    settings+=("$name=${!name}")
done < <(compgen -e | grep -iE '^((http|https|no|all|ftp)_proxy|PIP_[A-Z_]+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|CI)$')

make_system() { # suite
    forget "$system" || return 1
    debootstrap --variant=minbase --include=make,python3,git,ca-certificates "$1" "$system" "$mirror" >"$folder/$1.debootstrap.log" 2>&1 || return 1
    cp /etc/resolv.conf "$system/etc/resolv.conf"
    cp -r /etc/apt/apt.conf.d/. "$system/etc/apt/apt.conf.d/" 2>/dev/null
    rm -f "$system"/etc/apt/apt.conf.d/*docker-clean
    if [ -d /usr/local/share/ca-certificates ]; then
        mkdir -p "$system/usr/local/share/ca-certificates"
        cp -r /usr/local/share/ca-certificates/. "$system/usr/local/share/ca-certificates/"
    fi
    for file in /etc/pip.conf "$HOME/.pip/pip.conf" "$HOME/.config/pip/pip.conf"; do
        [ -f "$file" ] && { mkdir -p "$system$(dirname "$file")" && cp "$file" "$system$file"; }
    done
    for place in proc dev; do
        mount --rbind "/$place" "$system/$place" && mount --make-rslave "$system/$place" || return 1
    done
    inside update-ca-certificates >>"$folder/$1.debootstrap.log" 2>&1
    mkdir -p "$system$HOME" && git clone -q --no-hardlinks "file://$root" "$system/opt/analogflow"
    inside useradd --create-home --home-dir /opt/guest guest && git clone -q --no-hardlinks "file://$root" "$system/opt/guest/analogflow" &&
        inside chown -R guest: /opt/guest
}

# The demo of a user who may not become root, where Python and its module venv are all there is; a circuit simulator runs it.
GUEST='cd ~/analogflow && make demo >demo.log 2>&1; status=$?; cat demo.log; grep -q "capacity_nats, vacask" demo.log && exit $status'

work() { # what is run, a name for its log, what it is called
    inside sh -c "cd /opt/analogflow && $1" >"$folder/$suite.$2.log" 2>&1
    local status=$?
    local last
    last=$(grep -E '[0-9]+ (passed|failed|error)' "$folder/$suite.$2.log" | tail -n 1 | sed 's/=//g; s/^ *//; s/ *$//; s/ in [0-9.]*s.*//')
    [ $status = 0 ] && last=${last:-works} || {
        last="FAILS: ${last:-$(tail -n 1 "$folder/$suite.$2.log")}"
        failed=yes
        say "$suite, $3:" && tail -n 40 "$folder/$suite.$2.log" >&2
    }
    printf '| %s | %s | %s |\n' "$about" "$3" "$last" | tee -a "$rows" >&2
}

flags=${TESTS:-quick}
case $flags in
quick) flags= ;;
slow) flags=--slow ;;
esac
failed=
suites=("$@")
[ $# -gt 0 ] || suites=(bookworm trixie)
for suite in "${suites[@]}"; do
    about=$suite
    system=$folder/$suite
    say "Making a bare $suite in $system ..."
    make_system "$suite" || fail "A bare $suite could not be made; the last words were: $(tail -n 1 "$folder/$suite.debootstrap.log")"
    about="Debian $(cut -d. -f1 "$system/etc/debian_version"), Python $(inside python3 -c 'import platform; print(platform.python_version())')"
    work "make demo" demo "make demo"
    version=$(inside sh -c 'ngspice --version 2>/dev/null | sed -n "s/.*ngspice-\([0-9.]*\).*/\1/p" | head -n 1')
    inside apt-get remove -y -qq ngspice libngspice0 >"$folder/$suite.remove.log" 2>&1 # make test installs them anew
    work "setpriv --reuid=guest --regid=guest --clear-groups env HOME=/opt/guest sh -c '$GUEST'" guest "make demo without root"
    about="$about, ngspice ${version:-none}"
    if [ "$flags" != demo ]; then
        work "NGSPICE_TESTS=required make test PYTEST_FLAGS='$flags'" test "make test${flags:+ ($flags)}"
        for kernel in ${KERNELS:-}; do
            work "$(python3 tests/processors/kernels.py "$kernel") make test PYTEST_FLAGS='$flags'" "$kernel" "make test under $kernel${flags:+ ($flags)}"
        done
        # Boards are opened by the KiCad of the system, where that is 8 or later.
        kicad=$(inside apt-cache policy kicad 2>/dev/null | sed -n 's/ *Candidate: \([0-9.]*\).*/\1/p')
        if [ "${kicad%%.*}" -ge 8 ] 2>/dev/null; then
            boards="KICAD_TESTS=required .venv/bin/python -m pytest -q --ngspice=required tests/report/test_kicad.py"
            about="$about, KiCad $kicad"
            work "apt-get install -y -qq --no-install-recommends kicad kicad-symbols kicad-footprints ngspice >/dev/null && $boards" kicad "boards in KiCad"
        fi
    fi
    release "$system" || fail "Mounts of $system could not be taken away."
    [ -n "$kept" ] || forget "$system"
done

table=$(printf '| system | what | result |\n|---|---|---|\n' && cat "$rows")
printf '\n%s\n' "$table"
if [ -n "${WRITE:-}" ]; then
    TABLE=$table PYTHONPATH=benchmarks python3 - <<'PYTHON'
import os
from tables import DOCS, store
store(DOCS / "compatibility.md", {"make elsewhere": os.environ["TABLE"]})
PYTHON
fi
[ -z "$failed" ]
