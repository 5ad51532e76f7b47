"""Accuracy of the simulated capacity circuit, points it takes, and the time to write a large netlist.

Run from the project's root; ``--write`` puts the tables into docs/accuracy.md, between its markers.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from tables import Table, machine, report, table

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.reference import capacity_convergence

PAPER = af.Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv").transition
DOCUMENT = Path(__file__).parents[1] / "docs/accuracy.md"


def settled() -> Table:
    rng = np.random.default_rng(2026)
    channels = {
        "the paper's P(1)": af.Channel(PAPER),
        "BSC(0.11)": af.Channel([[0.89, 0.11], [0.11, 0.89]], initial=[0.7, 0.3]),
        "BEC(0.3)": af.Channel([[0.7, 0.3, 0], [0, 0.3, 0.7]], initial=[0.7, 0.3]),
        "Z(0.5)": af.Channel([[1, 0], [0.5, 0.5]]),
        "identity 3×3": af.Channel(np.eye(3), initial=[0.7, 0.2, 0.1]),
        "Dirichlet 8×8": af.Channel(rng.dirichlet(np.ones(8), 8)),
        "Dirichlet 16×16": af.Channel(rng.dirichlet(np.ones(16), 16)),
        "type II (1/t)": af.Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]]),
    }
    rows = []
    for name, channel in channels.items():
        for form in ("logdomain", "replicator", "normalised"):
            started = time.perf_counter()
            solution = af.solve(channel, form=form, engine="ngspice")
            seconds = time.perf_counter() - started
            errors = solution.certificate.errors
            settling = solution.settling_time
            rows.append(
                (
                    name,
                    form,
                    f"{errors['capacity_nats']:.1e}",
                    f"{errors['input_distribution']:.1e}",
                    f"{errors['certified_gap_nats']:.1e}",
                    f"{errors['simplex']:.1e}",
                    "not settled" if settling is None else f"{settling:.1f}",
                    str(len(solution.run.time)),
                    f"{1e3 * seconds:.0f}",
                )
            )
    head = ("channel", "form", "error of C (nat)", "error of z", "gap of z (nat)", "Σz − 1", "settles (τ)", "points", "ms")
    return table(head, rows)


def steps() -> Table:
    channel = af.Channel(PAPER, initial=[0.7, 0.2, 0.1])
    rows = []
    for form in ("logdomain", "replicator"):
        circuit = af.compile(af.flows.capacity(channel, form=form))
        field = VectorField(circuit.graph)
        exact = solve_ivp(field, (0, 60), circuit.graph.initial(), "DOP853", rtol=1e-12, atol=1e-14, dense_output=True)
        for step in (2.0, 0.5, 0.1, 0.02, 0.005):
            run = af.simulate(af.netlist(circuit, time_constants=60, largest_step=step))
            error = abs(run.values["z"] - field.observables(exact.sol(run.time).T)["z"]).max()
            rows.append((form, f"{step:g}", str(len(run.time)), f"{error:.1e}"))
    return table(("form", "largest step (τ)", "points for 60 τ", "largest error of the path z(t)"), rows)


def rates() -> Table:
    rows = []
    for name, channel in (
        ("the paper's P(1)", af.Channel(PAPER)),
        ("identity 3×3", af.Channel(np.eye(3), initial=[0.7, 0.2, 0.1])),
    ):
        expected = capacity_convergence(channel).lambda_max
        run = af.simulate(af.netlist(af.compile(af.flows.capacity(channel)), time_constants=60, largest_step=0.1))
        z = np.array(af.solve(channel, engine="block").certificate.reference["input_distribution"])
        distance = np.linalg.norm(run.values["z"] - z, axis=1)
        late = (distance < 1e-3) & (distance > 1e-6)
        slope = np.polyfit(run.time[late], np.log(distance[late]), 1)[0]
        rows.append((name, f"{expected:.6f}", f"{slope:.6f}", f"{100 * abs(slope / expected - 1):.2f} %"))
    return table(("channel", "λ_max", "fitted to ngspice's path", "difference"), rows)


def writing() -> Table:
    rows = []
    for n in (16, 64, 128):
        channel = af.Channel(np.random.default_rng(0).dirichlet(np.ones(n), n))
        started = time.perf_counter()
        circuit = af.compile(af.flows.capacity(channel))
        compiled = time.perf_counter()
        text = af.netlist(circuit).text
        written = time.perf_counter()
        row = (f"{n}×{n}", str(len(circuit.elements)), f"{compiled - started:.2f}", f"{written - compiled:.2f}")
        rows.append((*row, f"{len(text) / 1e6:.1f}"))
    return table(("channel", "elements", "compile (s)", "write (s)", "MB"), rows)


if __name__ == "__main__":
    report(
        __doc__,
        DOCUMENT,
        {"machine": lambda: machine("numpy"), "settled": settled, "steps": steps, "rates": rates, "writing": writing},
    )
