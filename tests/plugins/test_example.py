"""The plug-in of examples/ is built, installed and found as that of somebody else, and computes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"


def run(*words, cwd, **more):
    done = subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the problem, and the environment of a user who has installed the wheel of a copy."""
    place, site = tmp_path_factory.mktemp("plugin"), tmp_path_factory.mktemp("site")
    shutil.copytree(PLUGIN, place / "plugin", ignore=shutil.ignore_patterns("__pycache__"))
    run("hatchling", "build", "-t", "wheel", "-d", str(place / "dist"), cwd=place / "plugin")
    (wheel,) = (place / "dist").glob("*.whl")
    run("pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel), cwd=place)
    paths = os.pathsep.join(path for path in (str(site), *sys.path) if path)
    return place / "plugin", {**os.environ, "PYTHONPATH": paths}


def test_it_is_found_and_solves_what_scipy_solves(installed):
    place, environment = installed
    (place / "sparse_code.py").unlink()  # so that nothing but what was installed can be found
    said = run("analogflow", "solve", "sparse-code", "code.json", "--engine", "block", "--json", cwd=place, env=environment)
    found = json.loads(said)
    assert all(check["passed"] for check in found["checks"])
    given = json.loads((place / "code.json").read_text())
    atoms, signal, price = np.array(given["dictionary"]), np.array(given["signal"]), given["price"]
    # The code as a difference of what is not negative, which makes the price smooth.
    split = np.hstack([atoms, -atoms])
    best = minimize(
        lambda a: 0.5 * ((signal - split @ a) ** 2).sum() + price * a.sum(),
        np.zeros(6), jac=lambda a: split.T @ (split @ a - signal) + price, bounds=[(0, None)] * 6, tol=1e-14,
    ).x  # fmt: skip
    assert found["answer"]["code"] == pytest.approx(best[:3] - best[3:], abs=1e-6)
    assert sum(value != 0 for value in found["answer"]["code"]) == 2


def test_the_doctor_names_it_and_its_package(installed):
    place, environment = installed
    done = subprocess.run(
        [sys.executable, "-m", "analogflow", "doctor"],
        cwd=place, env={**environment, "COLUMNS": "200"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert "family sparse-code" in done.stdout
    assert "analogflow-sparse-code 0.1.0" in done.stdout


@pytest.mark.parametrize(
    "change, told",
    [
        ({"price": 0}, "price is 0; give a positive number"),
        ({"signal": [1.0, 2.0]}, "a row of the dictionary for each of its numbers"),
        ({"dictionary": [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]}, "atoms depend on each other"),
    ],
)
def test_it_refuses_in_a_sentence_what_is_no_problem(installed, change, told):
    place, environment = installed
    (place / "wrong.json").write_text(json.dumps(json.loads((PLUGIN / "code.json").read_text()) | change))
    done = subprocess.run(
        [sys.executable, "-m", "analogflow", "solve", "sparse-code", "wrong.json"],
        cwd=place, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
