"""Cost of a certified capacity beside the solvers people use.

Every solver runs on the same channels in one process; its gap, max D(p_i‖q) − I(z), is recomputed here from the
distribution it returns and never taken from its own status. ``--write`` puts the tables into docs/capacity_reference.md.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import xlogy
from tables import Table, machine, report, table
from turns import least_seconds

from analogflow import Channel
from analogflow.digital import blahut_arimoto, over_relaxed_blahut_arimoto
from analogflow.reference import capacity_batch, capacity_certificate, capacity_reference

DOCUMENT = Path(__file__).parents[1] / "docs/capacity_reference.md"
PAPER = Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv").transition
SECONDS = 20.0


def ours(P: np.ndarray) -> np.ndarray:
    return capacity_reference(Channel(P), gap=1e-12 if len(P) < 2048 else 1e-9).input_distribution


def plain(P: np.ndarray) -> np.ndarray:
    return blahut_arimoto(Channel(P), gap=1e-9, most=10**9, seconds=SECONDS).input_distribution


def over_relaxed(P: np.ndarray) -> np.ndarray:
    return over_relaxed_blahut_arimoto(Channel(P), gap=1e-9, most=10**9, seconds=SECONDS).input_distribution


def plain_over_relaxed(P: np.ndarray) -> np.ndarray:
    """The same as anyone would write it: no check of the channel, no limits."""
    with np.errstate(divide="ignore"):
        h, z, tau, before = xlogy(P, P).sum(axis=1), np.full(len(P), 1 / len(P)), 1.0, -np.inf
        kept, its_D = z, h
        while True:
            D = h - P @ np.log(z @ P)
            information = z @ D
            if D.max() - information <= 1e-9:
                return z
            if information < before and tau > 1:
                z, D, tau = kept, its_D, 1.0
            else:
                kept, its_D, before, tau = z, D, information, 1.5 * tau
            z = z * np.exp(tau * (D - D.max()))
            z /= z.sum()


def dit_default(P: np.ndarray) -> np.ndarray:
    from dit.algorithms.channelcapacity import channel_capacity

    return np.asarray(channel_capacity(P)[1])


def clarabel(P: np.ndarray) -> np.ndarray:
    import cvxpy

    z = cvxpy.Variable(len(P), nonneg=True)
    information = cvxpy.sum(cvxpy.entr(P.T @ z)) + xlogy(P, P).sum(axis=1) @ z
    cvxpy.Problem(cvxpy.Maximize(information), [cvxpy.sum(z) == 1]).solve(solver="CLARABEL")
    return np.asarray(z.value)


CONTENDERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "analogflow": (ours, 2048),
    "Blahut-Arimoto to 1e-9": (plain, 1024),
    "over-relaxed to 1e-9": (over_relaxed, 1024),
    "plain over-relaxed to 1e-9": (plain_over_relaxed, 1024),
    "dit, defaults": (dit_default, 64),
    "cvxpy + Clarabel, defaults": (clarabel, 512),
}
"""Solver and the largest channel it is run on."""


def side_by_side() -> Table:
    rng = np.random.default_rng
    channels = {"paper 3×3": PAPER} | {
        f"Dirichlet {n}×{n}": rng(0).dirichlet(np.ones(n), n) for n in (3, 16, 64, 256, 512, 1024, 2048)
    }
    rows = []
    for name, P in channels.items():
        sides: dict[str, Callable[[], np.ndarray]] = {}
        gaps, failed = {}, {}
        for contender, (solver, largest) in CONTENDERS.items():
            if len(P) > largest:
                continue

            def run(solver: Callable[[np.ndarray], np.ndarray] = solver, P: np.ndarray = P) -> np.ndarray:
                return solver(P)

            try:
                gaps[contender] = capacity_certificate(P, run()).gap
            except Exception as fault:  # noqa: BLE001 (a peer that breaks down is a result)
                failed[contender] = type(fault).__name__
            else:
                sides[contender] = run
        seconds = least_seconds(sides)
        base = seconds["analogflow"]
        for contender in (*sides, *failed):
            if contender in failed:
                rows.append((name, contender, "failed", failed[contender], ""))
            else:
                own = seconds[contender]
                rows.append((name, contender, f"{1e3 * own:.2f}", f"{gaps[contender]:.1e}", f"{own / base:.1f}"))
            print(*rows[-1], sep="  ", flush=True)
    return table(("channel", "solver", "ms", "certified gap (nat)", "time ÷ ours"), rows)


def batch() -> Table:
    P = np.random.default_rng(1).dirichlet(np.ones(3), (10_000, 3))
    started = time.perf_counter()
    found = capacity_batch(P)
    together = time.perf_counter() - started
    started = time.perf_counter()
    for k in range(200):
        capacity_reference(Channel(P[k]), gap=1e-9)
    alone = (time.perf_counter() - started) / 200
    row = (
        "10,000 of 3×3",
        f"{together:.3f}",
        f"{1e6 * together / 1e4:.1f}",
        f"{1e6 * alone:.0f}",
        f"{found.gaps.max():.1e}",
    )
    return table(("channels", "s together", "µs each together", "µs each alone", "largest gap (nat)"), [row])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    packages = ("numpy", "scipy", "dit", "cvxpy", "clarabel")
    report(__doc__, DOCUMENT, {"machine": lambda: machine(*packages), "side by side": side_by_side, "batch": batch})
