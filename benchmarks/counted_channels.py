"""How often the interval of a counted channel's capacity holds the truth, on drawn data sets.

Each data set draws the outputs of every input anew from a known channel, whose capacity and optimal weights are the
reference's.
``--write`` puts the table into docs/tables.md.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from tables import Table, report, table

import analogflow as af
from analogflow.reference import capacity_interval, capacity_reference
from analogflow.reference.capacity_counts import LEAST_COUNTS

DOCUMENT = Path(__file__).parents[1] / "docs/tables.md"
PAPER = af.Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv").transition
SETS = 1000

CHANNELS = {
    "symmetric, 2 × 2": np.array([[0.89, 0.11], [0.11, 0.89]]),
    "of the paper, 3 × 3": PAPER,
    "nearly noiseless, 3 × 3": np.array([[0.97, 0.03, 0], [0.02, 0.97, 0.01], [0, 0.02, 0.98]]),
    "weak, 3 × 3": np.array([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]]),
    "random, 3 × 8": np.random.default_rng(5).dirichlet(np.ones(8), 3),
    "confusion, 6 × 6": 0.9 * np.eye(6) + 0.1 / 6,
}


def coverage() -> Table:
    rows = []
    for name, transition in CHANNELS.items():
        exact = capacity_reference(af.Channel(transition))
        for observations in (LEAST_COUNTS, LEAST_COUNTS * transition.shape[1]):
            found, held, bias = [], [], []
            for seed in range(SETS):
                source = np.random.default_rng(seed)
                counts = np.array([source.multinomial(observations, row) for row in transition])
                channel = af.Channel.from_counts(counts)
                interval = capacity_interval(channel)
                found.append((interval.low <= exact.capacity_nats <= interval.high, interval.high - interval.low))
                held.append((interval.inputs[:, 0] <= exact.input_distribution + 1e-9)
                            & (exact.input_distribution - 1e-9 <= interval.inputs[:, 1]))  # fmt: skip
                bias.append((capacity_reference(channel).capacity_nats - exact.capacity_nats, interval.bias))
            (share, width), (plain, told) = np.mean(found, axis=0), np.mean(bias, axis=0)
            rows.append((
                name, f"{exact.capacity_nats:.4f}", f"{observations}", f"{plain:+.4f}", f"{told:+.4f}", f"{width:.3f}",
                f"{share:.1%}", f"{np.mean(held):.1%}",
            ))  # fmt: skip
    head = (
        "channel", "C (nat)", "observations of an input", "bias of the shares' C (nat)", "bias as told", "width (nat)",
        "interval holds C", "weights within theirs",
    )  # fmt: skip
    return table(head, rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore", af.AssumptionWarning)
    report(__doc__, DOCUMENT, {"coverage": coverage})
