"""The block engine against ngspice and against SciPy in a loop, at the same noise and at equal accuracy.

Each ratio is taken side by side in one run, on problems that both sides solve. Run from the project's root;
``--write`` puts the tables into docs/block_engine.md.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.integrate import solve_ivp
from tables import Section, Table, machine, report, table

import analogflow as af
from analogflow.block_engine import VectorField, compiled
from analogflow.passes import degrade_graph
from analogflow.simulators.block import follow

PAPER = af.Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv")
DOCUMENT = Path(__file__).parents[1] / "docs/block_engine.md"


def timed(run: Callable[[], object], repeats: int = 1) -> tuple[float, object]:
    """Least of the times of some runs, seconds, and the last result."""
    seconds, result = [], None
    for _ in range(repeats):
        started = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - started)
    return min(seconds), result


def paper_circuit() -> af.Circuit:
    return af.compile(af.flows.capacity(PAPER))


def noisy() -> Section:
    """1,000 noisy samples for 60 τ with knots 0.1 τ apart; ngspice runs 40 of the same samples in one process."""
    circuit, noise, few = paper_circuit(), af.Noise(0.01, seed=1), 40
    af.simulate(af.netlist(circuit, time_constants=1.0))  # starts the process, which is not counted
    block, run = timed(lambda: af.ensemble(circuit, 1000, noise=noise, time_constants=60.0, step_accuracy=1e-7), 3)

    def in_ngspice() -> list[np.ndarray]:
        decks = (af.netlist(af.degrade(circuit, noise=noise, sample=k), time_constants=60.0) for k in range(few))
        return [af.simulate(deck).final["z"] for deck in decks]

    spice, ends = timed(in_ngspice)
    difference = abs(np.array(ends) - run.final["z"][:few]).max()  # pyright: ignore[reportAttributeAccessIssue]
    rows = [
        ("ngspice through PySpice", f"{few}", f"{1e3 * spice / few:.1f}", "1"),
        ("block engine", "1000", f"{block:.3f}", f"{spice / few / (block / 1000):.0f}"),
    ]
    said = f"The ends of the {few} samples that both ran differ by {difference:.1e} at most."
    return table(("engine", "samples", "ms a sample", "times as fast"), rows), said


def noiseless() -> Section:
    """1,000 circuits with mismatch for 60 τ, against a loop over solve_ivp on the same fields at the same tolerances."""
    circuit, flaws, few = paper_circuit(), af.Imperfections(mismatch=0.01), 50
    block, run = timed(lambda: af.ensemble(circuit, 1000, imperfections=flaws, time_constants=60.0), 3)
    fields = [VectorField(degrade_graph(circuit.graph, flaws, samples=k)) for k in range(few)]

    def loop() -> list[np.ndarray]:
        return [
            field.observables(solve_ivp(field, (0, 60), field.graph.initial(), rtol=1e-7, atol=1e-9).y[:, -1])["z"]
            for field in fields
        ]

    scipy, ends = timed(loop, 2)
    difference = abs(np.array(ends) - run.final["z"][:few]).max()  # pyright: ignore[reportAttributeAccessIssue]
    rows = [
        ("a loop over scipy.integrate.solve_ivp", f"{few}", f"{1e3 * scipy / few:.2f}", "1"),
        ("block engine", "1000", f"{block:.3f}", f"{scipy / few / (block / 1000):.0f}"),
    ]
    said = f"Tolerances 1e-7 and 1e-9 on both sides; the ends differ by {difference:.1e} at most."
    return table(("contender", "samples", "ms a sample", "times as fast"), rows), said


def evaluators() -> Section:
    """The march in C and in NumPy by turns, on the same samples with the same noise to the same error a step."""
    circuit, noise = paper_circuit(), af.Noise(0.01, seed=1)
    rows, worst = [], 0.0
    for samples, repeats in ((1, 5), (100, 5), (1000, 3), (10_000, 2)):
        seconds = {}
        for _ in range(repeats):
            ends = []
            for name, library in (("C", compiled.library), ("NumPy", lambda: None)):
                with mock.patch.object(compiled, "library", library):
                    started = time.process_time()
                    run = af.ensemble(circuit, samples, noise=noise, time_constants=60.0)
                    spent = time.process_time() - started
                seconds[name] = min(spent, seconds.get(name, np.inf))
                ends.append(run.final["z"])  # pyright: ignore[reportAttributeAccessIssue]
            worst = max(worst, float(abs(ends[0] - ends[1]).max()))
        milliseconds = {name: 1e3 * each / samples for name, each in seconds.items()}
        ratio = seconds["NumPy"] / seconds["C"]
        rows.append((f"{samples:,}", f"{milliseconds['NumPy']:.3g}", f"{milliseconds['C']:.3g}", f"{ratio:.1f}"))
    lib, numbers = compiled.library(), np.empty(1 << 20)
    assert lib is not None
    drawn = np.inf
    for _ in range(5):
        started = time.process_time()
        lib.analogflow_normals(1, 0, len(numbers), numbers.ctypes.data)
        drawn = min(drawn, time.process_time() - started)
    noises = 3 * 600  # sources and knots of a sample
    said = (
        f"The ends differ by {worst:.1e} at most. The noise of a sample, {noises:,} numbers, takes "
        f"{1e3 * drawn * noises / len(numbers):.2g} ms in C."
    )
    return table(("noisy samples together", "NumPy, ms a sample", "C, ms a sample", "times as fast"), rows), said


def large() -> Table:
    """One 128×128 channel for 60 τ: ngspice at its default step, and the block engine at no larger error."""
    rng = np.random.default_rng(0)
    circuit = af.compile(af.flows.capacity(af.Channel(rng.dirichlet(np.ones(128), 128))))
    spice, run = timed(lambda: af.simulate(af.netlist(circuit, time_constants=60.0)))
    exact = follow(circuit, run.time, step_accuracy=1e-11).values["z"]  # pyright: ignore[reportAttributeAccessIssue]
    wrong = abs(run.values["z"] - exact).max()  # pyright: ignore[reportAttributeAccessIssue]
    rows = [("ngspice, largest step 0.5 τ", f"{spice:.1f}", f"{wrong:.1e}", "1")]
    for accuracy in (1e-3, 1e-6):
        block, ours = timed(lambda a=accuracy: follow(circuit, run.time, step_accuracy=a), 25)
        error = abs(ours.values["z"] - exact).max()  # pyright: ignore[reportAttributeAccessIssue]
        rows.append((f"block engine, {accuracy:g} a step", f"{block:.4f}", f"{error:.1e}", f"{spice / block:.0f}"))
    return table(("128×128", "seconds", "largest error of the path z(t)", "times as fast"), rows)


def larger() -> Table:
    """Block engine alone: time until the answer rests, from compiled circuit to answer, and what compiling took."""
    rows = []
    for n in (256, 512, 1024):
        P = np.random.default_rng(0).dirichlet(np.full(n, 0.1), n)
        flow = af.flows.capacity(af.Channel(0.5 * np.eye(n) + 0.5 * P))
        compiled, circuit = timed(lambda flow=flow: af.compile(flow))
        seconds, run = timed(lambda c=circuit: af.ensemble(c, 1, resting_speed=1e-7, time_constants=5000.0))
        settled = run.outcomes[0].name.lower()  # pyright: ignore[reportAttributeAccessIssue]
        rows.append((f"{n}×{n}", f"{compiled:.1f}", f"{seconds:.2f}", f"{run.end[0]:.0f}", settled))  # pyright: ignore[reportAttributeAccessIssue]
    return table(("channel", "compile (s)", "run (s)", "ends at (τ)", "outcome"), rows)


def tolerance() -> Table:
    """Difference of the engines on a noisy decay, against ngspice's relative tolerance and largest step."""

    def decay(x: np.ndarray) -> np.ndarray:
        return -x

    circuit = af.degrade(af.compile(af.Flow(decay, {"x": np.zeros(2)})), noise=af.Noise(0.3, seed=8))
    rows = []
    for reltol, step in ((1e-5, 0.1), (1e-6, 0.1), (1e-6, 0.02), (1e-7, 0.1)):
        deck = af.netlist(circuit, time_constants=20.0, largest_step=step)
        body = tuple(line.replace("reltol=1e-6", f"reltol={reltol:g}") for line in deck.body)
        run = af.simulate(dataclasses.replace(deck, body=body))
        difference = abs(run.values["x"] - follow(circuit, run.time, step_accuracy=1e-10).values["x"])
        rms = np.sqrt((difference**2).mean())
        rows.append((f"{reltol:g}", f"{step:g}", str(len(run.time)), f"{difference.max():.1e}", f"{rms:.1e}"))
    return table(("relative tolerance", "largest step (τ)", "points for 20 τ", "largest difference", "rms"), rows)


MEMORY = """
import re, sys
from pathlib import Path
import analogflow as af
from analogflow.simulators import ensemble_chunks

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

circuit = af.compile(af.flows.capacity(af.Channel(%r)))
before = peak()
samples, memory = int(sys.argv[1]), float(sys.argv[2])
chunks = ensemble_chunks(circuit, samples, noise=af.Noise(0.01), time_constants=60.0, memory=memory)
count = sum(1 for _ in chunks)
print(count, (peak() - before) / 1024)
"""


def memory() -> Table:
    """Memory that ensembles take beyond the circuit, whole and in chunks."""
    rows = []
    for samples, limit in ((1000, 2**40), (2000, 2**40), (4000, 2**40), (8000, 2**40), (8000, 2**26), (32000, 2**26)):
        program = [sys.executable, "-c", MEMORY % (PAPER.transition.tolist(),), str(samples), str(limit)]
        chunks, megabytes = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
        shown = "none" if limit > 2**30 else f"{limit >> 20} MB"
        rows.append((str(samples), shown, chunks, f"{float(megabytes):.0f}"))
    return table(("noisy samples", "limit", "chunks", "MB"), rows)


if __name__ == "__main__":
    report(
        __doc__,
        DOCUMENT,
        {
            "machine": lambda: machine("numpy", "scipy"),
            "tolerance": tolerance,
            "evaluators": evaluators,
            "noisy": noisy,
            "noiseless": noiseless,
            "large": large,
            "larger": larger,
            "memory": memory,
        },
    )
