"""How far temperature and mismatch move the stationary law of a Hopfield circuit.

Runs hopfield_temperature.toml, or goes on with it, in the directory that is named, and prints medians with their intervals.
"""

import sys
from pathlib import Path

import analogflow as af
from analogflow.studies import read_experiment
from analogflow.studies.statistics import errors_at, quantile_estimate

EXPERIMENT = Path(__file__).with_suffix(".toml")
HEAD = ("temperature", "mismatch", "error of the mean", "error of the covariance / T", "known to")

ERRORS = ("error", "error_covariance")


def laws(study, dataset):
    """Rows of the median errors of mean and covariance, the latter over the temperature, and of how far these are known."""
    rows = []
    for name, problem in study.problems.items():
        for delta in study.mismatch:
            mean = quantile_estimate(errors_at(dataset, problem=name, mismatch=delta), 0.5)
            spread = errors_at(dataset, "error_covariance", problem=name, mismatch=delta) / problem.temperature
            off = max(float(dataset[f"sampling_{error}"].sel(problem=name, mismatch=delta).max()) for error in ERRORS)
            rows.append((name, f"{delta:g}", str(mean), str(quantile_estimate(spread, 0.5)), f"{off:.0e}"))
    return rows


if __name__ == "__main__":
    study = read_experiment(EXPERIMENT)
    results = af.run_study(study, sys.argv[1] if len(sys.argv) > 1 else "hopfield_temperature_results")
    for row in (HEAD, *laws(study, results)):
        print("  ".join(f"{cell:<28}" for cell in row))
