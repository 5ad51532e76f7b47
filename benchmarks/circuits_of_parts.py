"""Circuits of op-amps and of transistors in ngspice: how near they come, how fast they run, and what tolerances do.

Run from the project's root; ``--write`` puts the tables into docs/technologies.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.integrate import solve_ivp
from tables import Table, machine, report, table

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.circuit import BipolarTransistor, Instance
from analogflow.circuit.build import Tolerances
from analogflow.circuit.circuit import direct
from analogflow.circuit.rounding import round_independently, round_jointly
from analogflow.compiler import carried_form, circuit_of, rebuilt
from analogflow.families.files import read_problem
from analogflow.judgement.certificate import certificate_of
from analogflow.judgement.trimming import aim_of, bits_of, trim
from analogflow.passes import sample_parts
from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport
from analogflow.reference import capacity_certificate, capacity_reference
from analogflow.run import own_time
from analogflow.technology import opamp
from analogflow.technology.opamp.wiring import Wiring, wiring_of
from analogflow.technology.translinear.crossbar import capacity_crossbar

EXAMPLES = Path(__file__).parents[1] / "examples/data"
SHIPPED = (
    ("capacity", "paper_channel.csv"),
    ("rate-distortion", "rate_distortion_hamming.json"),
    ("transport", "transport_three.json"),
)
DOCUMENT = Path(__file__).parents[1] / "docs/technologies.md"
PAPER = Channel.from_csv(EXAMPLES / "paper_channel.csv")
PROBLEMS = {
    "capacity": PAPER,
    "rate-distortion": RateDistortion(source=[0.6, 0.4], distortion=[[0, 1], [1, 0]], beta=2.0),
    "transport": Transport(cost=[[0, 1, 2], [1, 0, 1], [2, 1, 0]], row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.5),
    "attention": Attention(tokens=[[1, 0], [0, 1], [0.6, 0.8]], B=np.eye(2), V=np.eye(2), beta=1.0, time=1.0),
    "hopfield": Hopfield(
        U=[[0.3, 0.0], [0.1, 0.2]], I=[0.5, -0.5], gain_v=np.eye(2), gain_h=np.eye(2), activation="tanh", temperature=0.0
    ),
}


def flow_of(problem: object, technology: str = "ideal") -> af.Flow:
    return af.families.flow_of(problem, carried_form(problem, technology))


def run(circuit: af.Circuit, time_constants: float) -> af.Run:
    return af.simulate(af.netlist(circuit, time_constants=time_constants))


def transistors() -> Table:
    """The paper's channel against temperature: exact values and E96 values, one Gummel-Poon model."""
    reference, rows = capacity_reference(PAPER), []
    for temperature in (-40.0, 0.0, 27.0, 85.0, 125.0):
        circuit = af.compile(af.flows.capacity(PAPER), technology="translinear", temperature_celsius=temperature)
        exact, bought = run(circuit, 200.0), run(af.choose_values(circuit), 200.0)
        assert circuit.derived_from is not None
        field = VectorField(circuit.derived_from)
        path = solve_ivp(
            field, (0, exact.time[-1]), field.graph.initial(), "DOP853", exact.time, rtol=1e-11, atol=1e-13
        )  # fmt: skip
        ideal = field.observables(path.y.T)["z"]
        z = [r.final["z"] for r in (exact, bought)]
        loss = [reference.capacity_nats - capacity_certificate(PAPER.transition, v / v.sum()).lower for v in z]
        rows.append(
            (
                f"{temperature:g}",
                *(f"{abs(v - reference.input_distribution).max():.1e}" for v in z),
                *(f"{x:.1e}" for x in loss),
                f"{abs(exact.values['z'] - ideal).max():.1e}",
                f"{exact.final['capacity_nats'][0] - reference.capacity_nats:+.1e}",
                *(f"{shown(r) - reference.capacity_nats:+.1e}" for r in (exact, bought)),
            )
        )
    head = ("°C", "error of z, exact values", "E96", "capacity lost (nat), exact values", "E96", "error of the path",
            "error of I(z) (nat)", "of the circuit's own read-out (nat)", "E96")  # fmt: skip
    return table(head, rows)


def shipped() -> Table:
    """Examples of the package in transistors: largest error of the answer, certified gap, and what `solve` holds them to."""
    rows = []
    for family, name in SHIPPED:
        problem = read_problem(family, str(EXAMPLES / name))
        try:
            circuit = af.compile(flow_of(problem, "translinear"), technology="translinear")
        except af.AnalogflowError as refusal:
            rows.append((name, "refused: " + str(refusal).partition(";")[0].partition(".  ")[0], "", "", "", ""))
            continue
        both = (circuit, af.choose_values(circuit))
        found = [dict(certificate_of(built, run(built, 400.0)).errors) for built in both]
        answer = {"capacity": "input_distribution", "rate-distortion": "reproduction", "transport": "plan"}[family]
        cells = [f"{max(np.ravel(errors[key])):.1e}" for errors in found for key in (answer, _gap(errors))]
        rows.append((name, *cells, f"{both[1].accuracy:.1e}"))
    head = ("example", "answer, exact values", "certified gap", "answer, E96", "certified gap", "held to, E96")
    return table(head, rows)


def _gap(errors: Mapping[str, object]) -> str:
    return next(name for name in errors if name.startswith("certified_gap"))


def inputs() -> Table:
    """Forty boards of the paper's channel whose amplifiers alone differ, by what their inputs take and share: shift of z."""
    rows = []
    for technology in ("opamp", "translinear"):
        for name in ("precision", "general"):
            circuit = af.compile(flow_of(PAPER, technology), technology=technology, parts=name)
            assert circuit.parts is not None
            alike = Tolerances(resistor=0.0, capacitor=0.0, area=0.0, junction=0.0)
            exact = {"offset": 0.0, "gain_error": 0.0}
            parts = dataclasses.replace(
                circuit.parts,
                tolerances=alike,
                op_amp=dataclasses.replace(circuit.parts.op_amp, offset=0.0),
                multiplier=dataclasses.replace(circuit.parts.multiplier, **exact),
                divider=dataclasses.replace(circuit.parts.divider, **exact),
            )
            nominal = run(circuit, 100.0).final["z"]
            drawn = (sample_parts(circuit, parts, seed=5, sample=k) for k in range(40))
            shifts = [abs(run(board, 100.0).final["z"] - nominal).max() for board in drawn]
            op_amp = circuit.parts.op_amp
            facts = f"{op_amp.bias_spread:.2g} A, {op_amp.cmrr:.1g}"
            rows.append((technology, op_amp.name, facts, f"{np.median(shifts):.1e}", f"{max(shifts):.1e}"))
    head = (
        "technology",
        "amplifier",
        "σ of the current of an input, common-mode rejection",
        "shift of z, median",
        "largest",
    )
    return table(head, rows)


def shown(trajectory: af.Run) -> float:
    """What the replica branch of the circuit shows."""
    return float(trajectory.final["capacity_readout"][0])


def random_channels() -> Table:
    """Five random channels of each size, rows uniform on the simplex; the read-out is calibrated on the paper's channel."""
    paper = run(af.compile(af.flows.capacity(PAPER), technology="translinear"), 100.0)
    rows, calibration = [], shown(paper) - capacity_reference(PAPER).capacity_nats
    for size in (3, 5, 8):
        errors, readings, seconds = [], [], []
        for seed in range(5):
            channel = Channel(np.random.default_rng(seed).dirichlet(np.ones(size), size))
            circuit = af.compile(af.flows.capacity(channel), technology="translinear")
            started = time.perf_counter()
            found, exact = run(circuit, 1500.0), capacity_reference(channel)
            seconds.append(time.perf_counter() - started)
            errors.append(abs(found.final["z"] - exact.input_distribution).max())
            readings.append(shown(found) - exact.capacity_nats)
        worst = [f"{max(abs(np.array(readings) - origin)):.1e}" for origin in (0.0, calibration)]
        rows.append(
            (f"{size}×{size}", f"{max(errors):.1e}", f"{np.median(errors):.1e}", *worst, f"{np.median(seconds):.1f}")
        )
    head = ("channel", "largest error of z", "median", "of the read-out (nat)", "calibrated", "seconds for 1500 τ")
    return table(head, rows)


def amplifiers() -> Table:
    """Every family: amplifiers, static power and error of the answer with each block for itself, and as it is built."""
    rows = []
    for name, problem in PROBLEMS.items():
        flow = flow_of(problem)
        end = own_time(flow) or 100.0
        exact = af.simulate(af.netlist(af.compile(flow), time_constants=end), engine="block").final[flow.answer]
        found = []
        for wired in (Wiring, wiring_of):
            with mock.patch.object(opamp, "wiring_of", wired):
                circuit = af.choose_values(af.compile(flow, technology="opamp"))
            listed = af.parts_list(circuit)
            assert circuit.parts is not None
            count = sum(isinstance(e, Instance) and e.macro == circuit.parts.op_amp.name for e in circuit.elements)
            answer = af.simulate(af.netlist(circuit, time_constants=end)).final[flow.answer]
            off = 100 * abs(answer - exact).max() / max(1.0, abs(exact).max())
            found.append((str(count), f"{listed.power:.2f}", str(len(circuit.elements)), f"{off:.2g}"))
        rows.append((name, *(cell for pair in zip(*found, strict=True) for cell in pair)))
    head = ("family", "amplifiers, each block for itself", "as built", "static power (W)", "as built",
            "elements", "as built", "error of the answer, E96 (%)", "as built")  # fmt: skip
    return table(head, rows)


def op_amps() -> Table:
    """Every family with each part set: largest error of the answer's elements against the flow itself, % of full scale."""
    rows = []
    for name, problem in PROBLEMS.items():
        flow = flow_of(problem)
        end = own_time(flow) or 100.0
        step = 0.01 if flow.end_time else None
        exact = af.simulate(af.netlist(af.compile(flow), time_constants=end, largest_step=step), engine="block")
        answer = exact.final[flow.answer]
        row = [name]
        for parts in ("precision", "fast", "general"):
            circuit = af.compile(flow, technology="opamp", parts=parts)
            for built in (circuit, af.choose_values(circuit)):
                got = af.simulate(af.netlist(built, time_constants=end)).final[flow.answer]
                row.append(f"{100 * abs(got - answer).max() / max(1.0, abs(answer).max()):.2g}")
        rows.append(tuple(row))
    head = ("family", "precision, exact values", "E96", "fast, exact values", "E96", "general, exact values", "E24")
    return table(head, rows)


def levels() -> Table:
    """From the equations to the parts."""
    rows = []
    for name, problem in PROBLEMS.items():
        carried = flow_of(problem, "translinear") if carried_form(problem, "translinear") else None
        for level in af.verification_levels(flow_of(problem), carried=carried):
            rows.append((name, level.name, f"{level.error:.1e}", f"{level.added:.1e}", level.culprit))
            name = ""
    return table(("family", "level", "error of the answer", "added", "by"), rows)


def monte_carlo() -> Table:
    """200 circuits each: standard deviation of z, mean over the inputs, against what the sensitivity matrix predicts."""
    circuit = af.compile(af.flows.capacity(PAPER), technology="translinear")
    rows = []
    for name, limits, offset, expected in (
        ("0.1% resistors, 50 µV junctions, 10 µV offsets",
         Tolerances(resistor=1e-3, capacitor=0, area=0, junction=50e-6), 10e-6, 1.3e-3),
        ("1% resistors, 250 µV junctions, 25 µV offsets",
         Tolerances(resistor=1e-2, capacitor=0, area=0, junction=250e-6), 25e-6, 5.7e-3),
    ):  # fmt: skip
        assert circuit.parts is not None
        amplifier = circuit.parts.op_amp.alike(offset)
        parts = dataclasses.replace(circuit.parts, tolerances=limits, op_amp=amplifier)
        ends = np.array([run(sample_parts(circuit, parts, seed=11, sample=k), 60.0).final["z"] for k in range(200)])
        rows.append((name, f"{ends.std(axis=0).mean():.2e}", f"{expected:.1e}", f"{abs(ends - ends.mean(0)).max():.1e}"))
    return table(("tolerances, one σ", "σ(z), 200 circuits", "worked out by hand", "largest departure"), rows)


def lots() -> Table:
    """Forty op-amp circuits of a lot with each part set: error of the answer against the flow, % of full scale."""
    rows = []
    for name in ("capacity", "transport"):
        flow = flow_of(PROBLEMS[name])
        answer = af.simulate(af.netlist(af.compile(flow), time_constants=100.0), engine="block").final[flow.answer]
        for parts in ("precision", "fast", "general"):
            circuit = af.choose_values(af.compile(flow, technology="opamp", parts=parts))
            ends = [run(sample_parts(circuit, seed=5, sample=k), 100.0).final[flow.answer] for k in range(40)]
            errors = [100 * abs(end - answer).max() for end in ends]
            rows.append((name, parts, f"{np.median(errors):.2g}", f"{np.quantile(errors, 0.95):.2g}"))
    return table(("family", "parts", "median error", "95% of them below"), rows)


def trimmed() -> Table:
    """A hundred boards of the paper's channel in transistors, before and after trimming: precision parts, E96, units."""
    circuit = af.choose_values(af.compile(af.flows.capacity(PAPER), technology="translinear"))
    aim, rows = aim_of(circuit, time_constants=50.0), []
    for count, celsius in ((2, (0.0, 70.0)), (1, ()), (3, ())):
        found = [
            trim(circuit, count=count, seed=1, sample=k, aim=aim, temperatures_celsius=celsius)
            for k in range(100)
        ]  # fmt: skip
        for name, errors in (("none", [f.before for f in found]), (str(count), [f.after for f in found])):
            if name == "none" and not celsius:
                continue
            home = np.array([next(iter(e.values())) for e in errors])
            worst = [abs(home).max(axis=1), np.array([max(abs(v).max() for v in e.values()) for e in errors])]
            shares = [_share(int((w <= limit).sum()), len(w)) for w, limit in zip(worst, (1e-3, 5e-3), strict=True)]
            warm = (f"{np.median(worst[1]):.1e}", shares[1]) if celsius else ("", "")
            bits = np.log2(1 / (np.sqrt(12) * np.sqrt(np.mean(np.square(home)))))
            rows.append((name, f"{np.median(worst[0]):.1e}", f"{worst[0].max():.1e}", shares[0], *warm, f"{bits:.1f}"))
    head = ("trimmers", "median error, 27 °C", "largest", "of 100 within 1e-3", "median of the largest, 0 to 70 °C",
            "of 100 within 5e-3", "bits, 27 °C")  # fmt: skip
    order = ("none", "1", "2", "3")
    return table(head, sorted(rows, key=lambda row: order.index(row[0])))


def trimmed_families() -> Table:
    """Ten boards of shipped problems with all trimmers: medians of errors and bits, at 27 °C and left so at 0 and 70 °C."""
    rows = []
    for (family, file), technology in itertools.product(SHIPPED[:3], ("translinear", "opamp")):
        circuit = af.choose_values(
            af.compile(flow_of(read_problem(family, EXAMPLES / file), technology), technology=technology)
        )
        aim = aim_of(circuit)
        found = [trim(circuit, seed=3, sample=k, aim=aim) for k in range(10)]
        row = [family, technology]
        for errors in ([f.before for f in found], [f.after for f in found]):
            home = np.array([next(iter(e.values())) for e in errors])
            row += [f"{np.median(abs(home).max(axis=1)):.1e}", f"{np.median([bits_of(each) for each in home]):.1f}"]
            row.append(f"{np.median([max(abs(v).max() for v in e.values()) for e in errors]):.1e}")
        rows.append((*row, str(sum(f.limited for f in found))))
    head = ("family", "technology", *(f"{what}, {when}" for when in ("untrimmed", "trimmed")
            for what in ("median error, 27 °C", "bits", "largest, 0 to 70 °C")), "of 10 at a trimmer's end")  # fmt: skip
    return table(head, rows)


def _share(inside: int, count: int) -> str:
    """How many of some boards, and the lower end of Wilson's interval of 95% for their share."""
    share, z = inside / count, 1.96
    middle = share + z * z / (2 * count)
    least = (middle - z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))) / (1 + z * z / count)
    return f"{inside} (95%: {100 * least:.0f}% or more)"


def start_up() -> Table:
    """Channels of two and three inputs, switched on from every combination of rails: with a hold, and without one."""
    rows = []
    for technology, length in (("translinear", 3000.0), ("opamp", 300.0)):
        for channel in (Channel([[0.9, 0.1], [0.3, 0.7]]), PAPER):
            z = capacity_reference(channel).input_distribution
            circuit = af.choose_values(af.compile(flow_of(channel, technology), technology=technology))
            charged = run(circuit, 60.0).final["z"]
            rails = [",".join(names) for names in itertools.product(("low", "high"), repeat=len(z))]
            for start, ways in (("supplies alone", ["ramp"]), (f"all {len(rails)} of the rails", rails)):
                held = [run(af.degrade(circuit, start_up=how), 60.0).final["z"] for how in ways]
                free = [run(af.degrade(circuit, start_up=f"{how}+unheld"), length) for how in ways]
                rows.append(
                    (
                        technology,
                        str(len(z)),
                        start,
                        f"{max(abs(end - z).max() for end in held):.1e}",
                        f"{max(abs(end - charged).max() for end in held):.1e}",
                        f"{max(_reversed(af.degrade(circuit, start_up=how)) for how in ways):.1f}",
                        f"{max(_off(found, z)[np.searchsorted(found.time, 60.0)] for found in free):.1e}",
                        f"{max(_returned(found, charged) for found in free):.0f}",
                    )
                )
    head = ("technology", "inputs", "integrators begin where", "error of z after a hold", "from a charged start",
            "largest V_BE in reverse (V)", "error of z without a hold, 60 τ", "there after (τ)")  # fmt: skip
    return table(head, rows)


def _off(found: af.Run, z: np.ndarray) -> np.ndarray:
    return abs(found.values["z"] - z).max(axis=1)


def _returned(found: af.Run, charged: np.ndarray) -> float:
    """Time in τ from which z stays within 1e-3 of where a charged start ends; infinite where it does not."""
    beyond = np.flatnonzero(_off(found, charged) > 1e-3)
    if not len(beyond):
        return 0.0
    return float(found.time[beyond[-1] + 1]) if beyond[-1] + 1 < len(found.time) else np.inf


def _reversed(circuit: af.Circuit) -> float:
    """Largest voltage across a base-emitter junction against its direction, from the moment supplies rise on."""
    assert circuit.parts is not None
    transistors = [element for element in circuit.elements if isinstance(element, BipolarTransistor)]
    nodes = sorted({node for element in transistors for node in element.nodes[1:]} - {"0"})
    readings = {**circuit.readings, **{f"node_{node}": direct((node,), 1.0) for node in nodes}}
    # What is read begins with the flow: here with the first moment.
    found = run(dataclasses.replace(circuit, readings=readings, release=1e-12), 60.0)
    volts = {"0": np.zeros(len(found.time)), **{node: found.values[f"node_{node}"][:, 0] for node in nodes}}
    signs = {circuit.parts.npn.name: 1.0, circuit.parts.pnp.name: -1.0}
    return max(
        float((signs[element.model] * (volts[element.nodes[2]] - volts[element.nodes[1]])).max()) for element in transistors
    )


def rounding() -> Table:
    """Crossbars of 50 random channels of 3 to 5 symbols: shift of z to first order, each leg alone or a row together."""
    rows, rng = [], np.random.default_rng(1)
    cases = []
    for k in range(50):
        transition = rng.dirichlet(np.ones(3 + k % 3), size=3 + k % 3)
        optimum = capacity_reference(Channel(transition), gap=1e-13).input_distribution
        cases.append(capacity_crossbar(transition, optimum))
    for series in ("E12", "E24", "E96", "E192"):
        shifts = {
            choose: [abs(choose(c.weights, 1e4, series, c.voltages, c.sensitivity).shift).max() for c in cases]
            for choose in (round_independently, round_jointly)
        }
        alone, together = shifts[round_independently], shifts[round_jointly]
        rows.append((series, f"{max(alone):.2g}", f"{max(together):.2g}", f"{max(alone) / max(together):.0f}",
                     f"{np.median(alone) / np.median(together):.0f}"))  # fmt: skip
    return table(("series", "worst shift, alone", "together", "ratio of the worst", "ratio of the medians"), rows)


_KINDS = {
    "resistors": ("thermal noise of resistors",),
    "amplifiers": ("voltage noise of amplifiers", "current noise of amplifiers"),
    "transistors": (
        "shot noise of collector currents, and thermal noise of base and emitter",
        "shot noise of base currents",
    ),
    "multipliers": ("output noise of multipliers",),
}


def device_noise() -> Table:
    """Noise of the parts in the paper channel's z: what is played at the usual knots, a wider band, and what makes it."""
    rows = []
    for technology in ("translinear", "opamp"):
        for parts in ("precision", "fast", "general"):
            circuit = af.compile(flow_of(PAPER, technology), technology=technology, parts=parts)
            budget = af.noise_budget(circuit, noise=af.Noise(0.0, parts=True), engine="ngspice")
            wide = af.noise_budget(circuit, noise=af.Noise(0.0, step=_WIDE / circuit.units.time_constant), engine="ngspice")
            shares = {line.kind: line.share for line in budget.kinds}
            rows.append(
                (
                    technology, parts, f"{circuit.units.time_constant * 1e3:g} ms", f"{budget.rms.max():.1e}",
                    f"{wide.rms.max():.1e}",
                    *(f"{100 * sum(shares.get(kind, 0.0) for kind in kinds):.0f}" for kinds in _KINDS.values()),
                )
            )  # fmt: skip
    head = ("technology", "parts", "τ", "rms of z, knots of 0.1 τ", "to 1 MHz", *(f"{name}, %" for name in _KINDS))
    return table(head, rows)


_WIDE = 1e-6
"""Seconds between knots that reach to 1 MHz."""


def played_noise() -> Table:
    """Variance of z, summed over its elements, of the translinear circuit that plays it, beside its budget."""
    compiled = af.compile(flow_of(PAPER, "translinear"), technology="translinear")
    noise = af.Noise(0.0, seed=11, parts=True)
    budget = float((af.noise_budget(compiled, noise=noise, engine="ngspice").rms ** 2).sum())
    rest, rows = run(circuit_of(PAPER, technology="translinear"), 60.0).final, []
    for engine in ("ngspice", "vacask"):
        found = []
        for sample in range(_NOISY_SAMPLES):
            circuit = circuit_of(PAPER, technology="translinear", noise=noise, sample=sample)
            circuit = rebuilt(circuit, starts={"u": rest["u"]})
            path = af.simulate(af.netlist(circuit, time_constants=220.0), engine=engine)
            at = np.arange(20.0, 220.0, 0.017)
            z = np.stack([np.interp(at, path.time, value) for value in path.values["z"].T], axis=1)
            found += [((part - z.mean(axis=0)) ** 2).sum(axis=1).mean() for part in np.array_split(z, 10)]
        error = float(np.std(found)) / len(found) ** 0.5
        rows.append(
            (
                engine,
                str(_NOISY_SAMPLES),
                f"{np.mean(found):.3e}",
                f"{error:.1e}",
                f"{budget:.3e}",
                f"{np.mean(found) / budget:.3f}",
            )
        )
    return table(("engine", "samples", "variance as played", "standard error", "by the budget", "ratio"), rows)


_NOISY_SAMPLES = 6


def speed() -> Table:
    """Compiling and simulating 50 τ; a run ends with all its points in memory."""
    rows = []
    for size in (3, 8, 16):
        rng = np.random.default_rng(1)
        channel = PAPER if size == 3 else Channel(0.5 * np.eye(size) + 0.5 * rng.dirichlet(np.ones(size), size))
        for technology in ("opamp", "translinear"):
            started = time.perf_counter()
            circuit = af.choose_values(af.compile(af.flows.capacity(channel), technology=technology))
            compiled = time.perf_counter()
            found = run(circuit, 50.0)
            rows.append((str(size), technology, str(len(circuit.elements)), f"{compiled - started:.1f}",
                         f"{time.perf_counter() - compiled:.2f}", str(len(found.time))))  # fmt: skip
    return table(("symbols", "technology", "elements", "compile and choose values (s)", "simulate 50 τ (s)", "points"), rows)


if __name__ == "__main__":
    report(
        __doc__,
        DOCUMENT,
        {
            "machine": lambda: machine("numpy", "scipy"),
            "transistors": transistors,
            "random_channels": random_channels,
            "shipped": shipped,
            "inputs": inputs,
            "amplifiers": amplifiers,
            "op_amps": op_amps,
            "levels": levels,
            "monte_carlo": monte_carlo,
            "lots": lots,
            "trimmed": trimmed,
            "trimmed_families": trimmed_families,
            "start_up": start_up,
            "rounding": rounding,
            "device_noise": device_noise,
            "played_noise": played_noise,
            "speed": speed,
        },
    )
