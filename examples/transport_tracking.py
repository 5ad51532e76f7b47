"""Does pausing help? Success rates of cooling schedules that track a drifting cost, g- and u-carried, with Wilson intervals.

Run it from anywhere: ``python examples/transport_tracking.py [RUNS]``. A run succeeds where every row of its last plan
points to the column that the cheapest assignment of the last cost gives it. The answer depends on k_safe, on the rate of
cooling and on what is carried: pausing rescues schedules that cool too fast, and costs time where they do not.
"""

from __future__ import annotations

import sys

from analogflow.digital import Annealing, Tracking, annealed_tracking, calibrated_k_safe, drifting_costs
from analogflow.digital.transport import CARRIES

ALPHAS = (0.5, 0.8, 0.95)
"""Cooling factors per step."""

LIMITS = (0.5, 2.0, 10.0)
"""Values of k_safe."""


def tracking_study(runs: int = 24, *, seed: int = 0) -> dict[tuple[str, float, str], Tracking]:
    """Every schedule on the same drifting costs, by what is carried, cooling factor and schedule."""
    costs = drifting_costs(runs, seed=seed)
    found = {}
    for carry in CARRIES:
        for alpha in ALPHAS:
            schedules = {
                "exponential": Annealing("exponential", alpha, carry=carry),
                "quadratic": Annealing("quadratic", alpha, carry=carry),
                "gumbel": Annealing("exponential", alpha, carry=carry, gumbel=0.5),
                **{f"k_safe {k:g}": Annealing("adaptive", alpha, k, carry=carry) for k in LIMITS},
            }
            for name, schedule in schedules.items():
                found[carry, alpha, name] = annealed_tracking(costs, schedule, seed=seed)
    return found


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    for (carry, alpha, name), found in tracking_study(runs).items():
        low, high = found.interval
        print(f"{carry:9}  alpha {alpha:4}  {name:11}  {found.rate:5.2f}  [{low:.2f}, {high:.2f}]")
    costs = drifting_costs(runs)
    for carry in CARRIES:
        estimate = calibrated_k_safe(costs, Annealing("exponential", 0.5, carry=carry))
        print(f"{carry:9}  k_safe calibrated where fast cooling collapses: {estimate:.2f}")


if __name__ == "__main__":
    main()
