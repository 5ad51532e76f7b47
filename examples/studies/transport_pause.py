"""Whether it helps a cooled transport circuit to pause while its plan moves too fast.

Runs the study in the directory that is named, or goes on with it, and prints how often each schedule succeeded.
"""

import sys

import numpy as np

import analogflow as af
from analogflow.studies.statistics import rate_estimate

PROBLEMS, SIZE, EPSILON, END, ALLOWED = 8, 4, 0.05, 15.0, 0.01
SCHEDULES = {
    "exponential, rate 0.3": {"kind": "exponential", "start": 1.0, "rate": 0.3},
    "exponential, rate 1": {"kind": "exponential", "start": 1.0, "rate": 1.0},
    "exponential, rate 3": {"kind": "exponential", "start": 1.0, "rate": 3.0},
    "quadratic, rate 3": {"kind": "quadratic", "start": 1.0, "rate": 3.0},
    "rate 3, pauses at k_safe 0.2": {"kind": "adaptive", "start": 1.0, "rate": 3.0, "k_safe": 0.2},
    "rate 3, pauses at k_safe 0.5": {"kind": "adaptive", "start": 1.0, "rate": 3.0, "k_safe": 0.5},
    "rate 3, pauses at k_safe 2": {"kind": "adaptive", "start": 1.0, "rate": 3.0, "k_safe": 2.0},
}
HEAD = ("schedule", "carried", "σ", "marginals, median", "marginals within 1 %", "rows right")


def the_study():
    """Random costs, each with every schedule, which ends at `END` τ whatever it is."""
    problems, share = {}, np.full(SIZE, 1 / SIZE)
    for number in range(PROBLEMS):
        cost = np.random.default_rng(number).uniform(0, 1, (SIZE, SIZE)).round(3)
        for name, schedule in SCHEDULES.items():
            problems[f"{name}, cost {number}"] = af.Transport(cost, share, share, EPSILON, schedule=schedule)
    return af.Study(
        problems, forms=("potential", "scaling"), noise=(0.0, 0.003), samples=4, seed=1, time_constants=END, verify=False
    )


def success(dataset):
    """Rows of the median violation of the marginals, and of the share of runs within bounds, by schedule, form and noise."""
    rows = []
    for schedule in SCHEDULES:
        mine = dataset.sel(problem=[name for name in dataset["problem"].values if name.startswith(f"{schedule}, cost")])
        for form in dataset["form"].values:
            for sigma in dataset["noise"].values:
                part = mine.sel(form=form, noise=sigma)
                once = part.isel(sample=[0]) if sigma == 0 else part  # without noise all samples are one
                marginals = once["error_marginals"].values.ravel()
                within = rate_estimate(int((marginals <= ALLOWED).sum()), marginals.size)
                right = float((once["error_misassigned_rows"] == 0).mean())
                share = f"{100 * within.value:.0f} % [{100 * within.low:.0f}, {100 * within.high:.0f}]"
                rows.append((schedule, form, f"{sigma:g}", f"{np.median(marginals):.1e}", share, f"{100 * right:.0f} %"))
    return rows


if __name__ == "__main__":
    results = af.run_study(the_study(), sys.argv[1] if len(sys.argv) > 1 else "transport_pause_results")
    for row in (HEAD, *success(results)):
        print("  ".join(f"{cell:<28}" for cell in row))
