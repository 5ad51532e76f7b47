"""Which form of the capacity flow survives how much noise: what equal noise means has three answers, and all are given.

Runs capacity_forms.toml, or goes on with it, in the directory that is named, and prints the tolerated noise of every form.
"""

import sys
from pathlib import Path

import numpy as np

import analogflow as af
from analogflow.studies import read_experiment
from analogflow.studies.statistics import compare_study, study_tolerance

EXPERIMENT = Path(__file__).with_suffix(".toml")
LIMIT = 0.01
HEAD = ("problem", "form", "σ (flow units/√τ)", "of full scale", "at z, rms", "between", "verdicts not confirmed at 1 %")


def full_scale(channel, form):
    """Largest value of the state, flow units, that the compiler scales a circuit of this form for."""
    circuit = af.compile(af.flows.capacity(channel, form=form), scaled=True)
    return 1 / float(circuit.units.scales["u" if form == "logdomain" else "z"][0])


def at_z(channel, form):
    """Rms noise of an input probability for a unit of noise at the state: noise of u passes through dz/du."""
    if form != "logdomain":
        return 1.0
    z = np.asarray(af.solve(channel, engine="block").certificate.answer["input_distribution"])
    slope = np.diag(z) - np.outer(z, z)
    return float(np.sqrt((slope**2).sum() / len(z)))


def tolerated(study, dataset):
    """Rows of the largest noise at which 95 % of the samples are within 0.01 nat, in three units."""
    found = study_tolerance(dataset, "noise", LIMIT)
    rows = []
    for name, channel in study.problems.items():
        for form in study.forms:
            one = found.sel(problem=name, form=form).squeeze()
            sigma, low, high = (float(one[key]) for key in ("tolerance", "low", "high"))
            part = dataset.sel(problem=name, form=form, noise=0.01).squeeze()
            wrong = float((part["verdict"] != "confirmed").mean())
            shares = sigma / full_scale(channel, form), sigma * at_z(channel, form)
            row = (f"{sigma:.2g}", *(f"{share:.2g}" for share in shares), f"{low:g} and {high:g}", f"{100 * wrong:.0f} %")
            rows.append((name, form, *row))
    return rows


def advantage(dataset):
    """Rows of how many times larger the errors of the other forms are than the log-domain form's, in the same samples."""
    rows = []
    for name in dataset["problem"].values:
        for other in ("replicator", "normalised"):
            found = [
                compare_study(dataset, "form", "logdomain", other, problem=name, noise=sigma).ratio
                for sigma in (0.001, 0.00316, 0.01)
            ]
            rows.append((str(name), f"{other} / logdomain", *map(str, found)))
    return rows


if __name__ == "__main__":
    study = read_experiment(EXPERIMENT)
    results = af.run_study(study, sys.argv[1] if len(sys.argv) > 1 else "capacity_forms_results")
    for row in (HEAD, *tolerated(study, results), *advantage(results)):
        print("  ".join(f"{cell:<18}" for cell in row))
