#!/bin/sh
# Builds the wheel and the source archive, installs the wheel that comes out of the archive into an empty environment,
# and works there, far from this checkout: what the package needs must be inside it.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd -P)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT INT TERM

${PYTHON:-.venv/bin/python} -m hatchling build -d "$place/dist" >"$place/log" 2>&1 || { cat "$place/log" >&2; exit 1; }
# The wheel that users get is built from the archive, so the archive is what is tried.
tar -xzf "$place"/dist/*.tar.gz -C "$place"
(cd "$place"/analogflow-* && "$root/.venv/bin/python" -m hatchling build -t wheel -d "$place/wheel") >"$place/log" 2>&1 ||
    { cat "$place/log" >&2; exit 1; }

${PYTHON:-.venv/bin/python} -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-input --constraint requirements.lock \
    "$place"/wheel/*.whl >"$place/log" 2>&1 || { cat "$place/log" >&2; exit 1; }
PATH="$place/venv/bin:$PATH"
unset PYTHONPATH
mkdir "$place/work"
cd "$place/work"
printf '0.7,0.2,0.1\n0.1,0.8,0.1\n0.25,0.25,0.5\n' >channel.csv
python -c "import analogflow, sys; assert not analogflow.__file__.startswith('$root'), analogflow.__file__"

step() {
    "$@" >out 2>&1 || { echo "failed: $*" >&2; cat out >&2; exit 1; }
}
step analogflow doctor
step analogflow solve capacity channel.csv --json
step analogflow solve capacity channel.csv --engine block --report run.html --figure run.svg
step analogflow netlist capacity channel.csv -o channel.cir --technology translinear --parts-list parts.csv
step analogflow draw capacity channel.csv -o channel.svg
step analogflow study capacity channel.csv -o results --noise 0.01,0.1 --samples 20 --limit 0.01 --figures
step analogflow report results
step analogflow compare capacity channel.csv --only opamp:logdomain --only interior-point
# A flow that does not fit is a result: exit code 1.
analogflow map capacity channel.csv --board lucidac --json >map.json || [ $? = 1 ]
step python -c "import json; json.load(open('map.json'))['binding']"
echo "The wheel works from an empty environment."
