"""Netlists, parts lists and settings of boards are the same bytes under the kernels of other processors."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analogflow.circuit.rounding import round_jointly
from analogflow.circuit.values import code, nearest, neighbours
from analogflow.digits import quiet, significant

# Old kernels are slow, the more so on a busy machine.
pytestmark = pytest.mark.timeout(1800)

ROOT = Path(__file__).parents[2]

KERNELS = runpy.run_path(str(ROOT / "tests/processors/kernels.py"))["KERNELS"]

RARER = ("Zen", "SkylakeX")

LINE = re.compile(r"\.py:\d+")
"""Place of an equation in its source, which moves when another line of the source does."""

PROBE = """
import math, numpy as np
x = np.random.default_rng(0).random(4000)
print(np.log(x).tobytes().hex(), x[:2000].dot(x[2000:]).hex(), [math.log(v).hex() for v in x])
"""


def run(command: list[str], kernel: str | None) -> str:
    """What a process prints that takes itself to be on a processor of that kernel; skips where that can not run."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **KERNELS.get(kernel or "", {})}
    done = subprocess.run([sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode < 0 and kernel == "SkylakeX":
        pytest.skip("this processor has no AVX-512, so its kernels can not run here.")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def made(folder: Path, amount: str, *, kernel: str | None = None, seed: int | None = None) -> dict[str, str]:
    """Text of every product by its name."""
    script = str(ROOT / "tests/processors/products.py")
    run([script, str(folder), amount, *([] if seed is None else [str(seed)])], kernel)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Products of this processor, made once for each amount."""
    known: dict[str, dict[str, str]] = {}

    def products(amount: str) -> dict[str, str]:
        if amount == "committed":
            return {path.name: path.read_text(encoding="ascii") for path in (ROOT / "netlists").iterdir()}
        if amount not in known:
            known[amount] = made(tmp_path_factory.mktemp("here"), amount)
        return known[amount]

    return products


def same(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Names of products that differ, each with its first line that does."""
    found, expected = ({name: LINE.sub(".py", text) for name, text in texts.items()} for texts in (found, expected))
    assert found.keys() == expected.keys()
    return [
        f"{name}: {next((a, b) for a, b in zip(text.splitlines(), expected[name].splitlines(), strict=False) if a != b)}"
        for name, text in found.items()
        if text != expected[name]
    ]


def test_the_kernels_differ_so_that_these_tests_can_fail():
    """Each variable is heeded: without this a test that compares bytes would compare this processor with itself."""
    assert len({run(["-c", PROBE], kernel) for kernel in ("Haswell", "Prescott")}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["Prescott", pytest.param("Haswell", marks=pytest.mark.slow)])
def test_what_is_made_is_the_same_under_other_kernels(here, tmp_path, kernel):
    assert same(made(tmp_path, "quick", kernel=kernel), here("quick")) == []


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["Prescott", "Haswell", *RARER])
def test_committed_netlists_are_the_same_under_other_kernels(here, tmp_path, kernel):
    assert same(made(tmp_path, "committed", kernel=kernel), here("committed")) == [], "run: python scripts/generate.py"


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_family_and_technology_is_the_same_under_other_kernels(here, tmp_path, kernel):
    assert same(made(tmp_path, "all", kernel=kernel), here("all")) == []


@pytest.mark.parametrize(
    ("amount", "seed"),
    [
        *(pytest.param("committed", seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4)),
        *(pytest.param("all", seed, marks=(pytest.mark.slow, pytest.mark.sweep)) for seed in (1, 2)),
    ],
)
def test_last_bits_decide_nothing(here, tmp_path, amount, seed):
    """Sums, sizes of signals and ends of runs off by their last bits, as on a processor that nobody here has."""
    assert same(made(tmp_path, amount, seed=seed), here(amount)) == []


def test_a_written_number_has_twelve_digits_and_no_sign_of_zero():
    assert significant(0.1 + 0.2) == 0.3
    assert str(significant(-0.0)) == "0.0"
    assert significant(-1.0000000000000004) == -1.0
    assert significant(0.25234362574112345) == 0.252343625741


def test_what_is_left_of_a_sum_that_should_be_zero_is_zero():
    left = np.array([0.1 + 0.2 - 0.3, 1e-9, 0.0])
    assert quiet(left, 0.3).tolist() == [0.0, 1e-9, 0.0]
    assert quiet(1e-15, 1e-15) == 1e-15  # a small number by itself is no rounding error


@pytest.mark.parametrize("ulps", [-4, 0, 4])
@pytest.mark.parametrize("series", ["E12", "E24", "E96", "E192"])
def test_a_preferred_value_that_is_off_by_rounding_is_still_itself(series, ulps):
    preferred = np.array([1.2e3, 4.7e-9, 8.2e5, 1e4])
    off = preferred * (1 + ulps * 2.0**-53)
    below, above = neighbours(off, series)
    if series in ("E12", "E24"):
        assert (below.tolist(), above.tolist()) == (preferred.tolist(), preferred.tolist())
    assert nearest(off, series).tolist() == nearest(preferred, series).tolist()


def test_a_value_midway_between_two_codes_has_the_lower_one():
    midway = np.array([2.5, 2.5 - 1e-14, 2.5 + 1e-14, 3.0]) / 16
    assert code(midway, 4).codes.tolist() == [2, 2, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_rows_whose_legs_are_alike_are_rounded_alike_whatever_the_last_bits(seed):
    """Equal legs in a row are ties of the search: which of them moves must not depend on how their sum was added up."""
    weights = np.array([[0.6, 0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.6, 0.1, 0.1], [0.25, 0.25, 0.25, 0.125, 0.125]])
    voltages = np.log([0.3, 0.2, 0.3, 0.1, 0.1])
    chosen = round_jointly(weights, 1e4, "E24", voltages).parts
    rng = np.random.default_rng(seed)

    def off(array):
        return array * (1 + 2.0**-52 * rng.integers(-2, 3, array.shape))

    assert round_jointly(off(weights), 1e4, "E24", off(voltages)).parts.tolist() == chosen.tolist()
