"""The verbs that run a circuit and judge its answer: doctor, solve and verify."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analogflow import judgement, report
from analogflow.circuit.trimmers import ALL
from analogflow.cli.options import (
    about_conditions,
    about_flow,
    about_json,
    about_start_up,
    build_options,
    condition_options,
    count,
    fraction_bar,
    given_problem,
    imperfections_of,
    law_options,
    nonempty,
    number,
    positive,
    show,
    tell,
    time_counter,
    trimmers,
)
from analogflow.compiler import circuit_of, compile, flow_for, noise_of
from analogflow.contents import plain, refuse_existing, refuse_placeless
from analogflow.errors import BadInput
from analogflow.families import family_of
from analogflow.judgement.certificate import TRIMMED
from analogflow.judgement.restart import DELTA, DISTANCE
from analogflow.noise import Noise
from analogflow.passes import choose_values, matched
from analogflow.simulators import ENGINES, SPICE, engine_for
from analogflow.solution import solve, verify

__all__ = ["about_doctor", "about_solve", "about_verify", "run_doctor", "run_solve", "run_verify"]

_NOT_TRIMMED = "noise mismatch start_up chains skip step".split()
"""Options that a board which is trimmed does not take; and those that tell of a run, where none is told of."""

_OF_A_RUN = "budget samples certificate raw report figure".split()

_ELSEWHERE = (0.0, 70.0)
"""°C at which a trimmed board is looked at if nobody says where."""

_SAMPLES = 64
"""Circuits drawn for each line of a budget."""


def about_doctor(parser: argparse.ArgumentParser) -> None:
    """It has no options."""


def run_doctor(options: argparse.Namespace) -> int:
    """Say what is installed; 3 where something needed is missing."""
    from analogflow.doctor import examine

    findings = examine()
    show(report.doctor_table(findings, "analogflow doctor"))
    return 0 if all(finding.found for finding in findings if finding.needed) else 3


def _about_run(parser: argparse.ArgumentParser) -> None:
    """What decides a run, and what is shown of it."""
    about_flow(parser)
    parser.add_argument(
        "--engine", type=nonempty, help=f"one of: {', '.join((*ENGINES, SPICE))}; ngspice, or where it is missing vacask"
    )
    about_conditions(parser)
    parser.add_argument("--accuracy", type=positive, metavar="E", help="largest error that the checks let pass")
    parser.add_argument(
        "--time",
        type=positive,
        metavar="T",
        help="end of the run in time constants; by default the problem's own, or where it settles",
    )
    about_start_up(parser)
    parser.add_argument("--chains", type=count, metavar="N", help="of a law: chains it is averaged over")
    parser.add_argument("--skip", type=number, metavar="T", help="of a law: time constants left out of each chain")
    parser.add_argument("--step", type=positive, metavar="T", help="of a law: time constants between knots of the noise")
    about_json(parser)
    parser.add_argument("--figure", metavar="FILE", help="write a figure of the run (.svg, .png, .pdf)")
    parser.add_argument("--force", action="store_true", help="replace existing files")


def about_solve(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow solve``."""
    _about_run(parser)
    parser.add_argument(
        "--budget",
        action="store_true",
        help="what each imperfection and block costs, in nats and bits; of a circuit of parts, which of them make its "
        "errors, or with --noise parts its noise",
    )
    parser.add_argument(
        "--samples", type=count, metavar="N", help=f"circuits drawn for each line of the budget ({_SAMPLES})"
    )
    parser.add_argument("--report", metavar="FILE", help="write an HTML page of the run")
    parser.add_argument("--raw", type=nonempty, metavar="FILE", help="write the run as a binary raw file of ngspice (.raw)")
    parser.add_argument(
        "--certificate", type=nonempty, metavar="FILE", help="write what proves the answer as JSON, for analogflow check"
    )
    parser.add_argument(
        "--trim", type=trimmers, nargs="?", const=ALL, metavar="N",
        help="instead, draw a board (--seed), set N trimmers where they do most (all), and tell errors at 27 °C and, "
        "if --temperature does not say where else, 0 and 70 °C",
    )  # fmt: skip


def run_solve(options: argparse.Namespace) -> int:
    """Simulate and certify; 1 where a check fails."""
    problem, build = given_problem(options), build_options(options)
    if options.trim is not None:
        return _trim(options, problem, build)
    if options.samples and not options.budget:
        raise BadInput("--samples is of the budget's circuits; give --budget too, or leave it out.")
    report.check_writable(options.figure, force=options.force)
    if options.report:
        report.check_page(Path(options.report), force=options.force)
    refuse_existing(options.raw, force=options.force)
    refuse_placeless(options.raw)
    if options.certificate:
        judgement.refuse_certificate(problem, options.certificate, force=options.force)
    engine_for(options.technology, options.engine, nominal=Noise.is_of_parts(options.noise))  # refuses before it is compiled
    imperfections, budget = imperfections_of(options), None
    circuit = compile(flow_for(problem, options.form, options.technology), **build)
    noise = noise_of(circuit, options.noise, options.seed) if options.budget else None
    if noise is not None and noise.parts:
        if options.samples:
            raise BadInput("--samples: the budget of the parts' noise draws no circuits; leave it out.")
        with time_counter(options.json) as on_progress:
            budget = judgement.noise_budget(
                circuit, imperfections, noise=noise, engine=options.engine, time_constants=options.time,
                on_progress=on_progress,
            )  # fmt: skip
    elif noise is not None and circuit.parts is not None and not noise.sigma:
        if options.samples:
            raise BadInput("--samples: the budget of the parts' errors draws no circuits; leave it out.")
        strays = imperfections.mismatch
        with fraction_bar(options.json, "errors of the parts") as on_fraction:
            budget = judgement.device_errors(
                choose_values(circuit), matched(circuit.parts, strays) if strays else None, on_progress=on_fraction
            )
    elif noise is not None:
        with fraction_bar(options.json, "error budget") as on_fraction:
            budget = judgement.error_budget(
                circuit, imperfections, noise=noise, samples=options.samples or _SAMPLES, on_progress=on_fraction
            )
    with time_counter(options.json) as on_progress:
        solution = solve(
            circuit, engine=options.engine, time_constants=options.time, accuracy=options.accuracy, on_progress=on_progress,
            noise=options.noise, imperfections=imperfections, seed=options.seed, start_up=options.start_up,
            **law_options(options), on_note=tell,
        )  # fmt: skip
    if options.raw:
        report.write_raw(solution, options.raw, force=options.force)
    if options.certificate:
        judgement.write_certificate(solution, options.certificate, force=options.force)
    if options.json:
        costs = {} if budget is None else {"budget": plain(budget.to_dict())}
        print(json.dumps({**solution.to_dict(), **costs}, allow_nan=False))
    else:
        report.print_solution(solution, budget)
    if options.figure:
        report.save_figure(report.plot_of(family_of(problem).name)(solution), options.figure, force=options.force)
    if options.report:
        commands = [shlex.join(["analogflow", *options.arguments])]
        page = report.run_page(solution, report.plot_of(family_of(problem).name), budget=budget, commands=commands)
        report.write_page(page, options.report, force=options.force)
    return 0 if solution.passed else 1


def _trim(options: argparse.Namespace, problem: Any, build: Any) -> int:
    """Print what is left of a board's errors; 1 where it is not as accurate as asked at the temperature it is trimmed at."""
    _refuse_beside_trim(options, (*_NOT_TRIMMED, *_OF_A_RUN), " and runs nothing else")
    celsius = _ELSEWHERE if options.temperature is None else (options.temperature,)
    built = {name: value for name, value in build.items() if name != "temperature_celsius"}
    circuit = circuit_of(problem, form=options.form, seed=options.seed, **built)
    judgement.check_trimmed(circuit, options.trim)
    with fraction_bar(options.json, "trimming") as on_fraction:
        found = judgement.trim(
            circuit, count=options.trim, seed=circuit.noise.seed, temperatures_celsius=celsius,
            aim=judgement.aim_of(circuit, time_constants=options.time, engine=options.engine), on_progress=on_fraction,
        )  # fmt: skip
    if options.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        show(report.trimming_table(found))
    return 0 if found.left <= (options.accuracy or TRIMMED) else 1


def _refuse_beside_trim(options: argparse.Namespace, names: Sequence[str], also: str = "") -> None:
    wrong = [f"--{name.replace('_', '-')}" for name in (*names, "imperfect") if getattr(options, name)]
    if wrong:
        raise BadInput(f"--trim sets a board of its own right{also}; leave out {' and '.join(wrong)}.")


def about_verify(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow verify``: those of a run, and how far and how near."""
    _about_run(parser)
    parser.add_argument(
        "--delta", type=positive, default=DELTA, metavar="D", help=f"share of the way to the middle ({DELTA:g})"
    )
    parser.add_argument(
        "--tolerance", type=positive, default=DISTANCE, metavar="E", help=f"distance of equal answers ({DISTANCE:g})"
    )
    parser.add_argument(
        "--trim", type=trimmers, nargs="?", const=ALL, metavar="N",
        help="of a board that is drawn (--seed), with N trimmers (all) that are set at 27 °C and left at --temperature",
    )  # fmt: skip
    parser.add_argument(
        "--engines", metavar="E,E", help="instead, run the circuit in each of these engines and compare every two"
    )


def run_verify(options: argparse.Namespace) -> int:
    """Print the solution and the verdict; 1 where the answer does not stand, or where engines differ."""
    problem = given_problem(options)
    if options.engines:
        return _compare_engines(options, problem)
    build = build_options(options)
    if options.trim is not None:
        _refuse_beside_trim(options, _NOT_TRIMMED)
    report.check_writable(options.figure, force=options.force)
    engine_for(options.technology, options.engine, nominal=Noise.is_of_parts(options.noise))  # refuses before it is compiled
    with time_counter(options.json) as on_progress:
        found = verify(
            problem, delta=options.delta, distance=options.tolerance, form=options.form, engine=options.engine,
            time_constants=options.time, accuracy=options.accuracy, start_up=options.start_up, on_progress=on_progress,
            trim=options.trim, **build, **condition_options(options), **law_options(options), on_note=tell,
        )  # fmt: skip
    if options.json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        report.print_solution(found.solution, None)
        apart = f" The two answers differ by {found.verdict.distance:.2g}." if found.run is not None else ""
        show(f"{found.verdict}{apart}", highlight=False)
    if options.figure:
        report.save_figure(report.plot_of(family_of(problem).name)(found.solution), options.figure, force=options.force)
    return 0 if found.passed else 1


def _compare_engines(options: argparse.Namespace, problem: Any) -> int:
    """Print how far each two engines are apart along one path."""
    given = {f"--{name}": value is not None for name, value in law_options(options).items()}
    given |= {"--engine": options.engine, "--accuracy": options.accuracy, "--figure": options.figure,
             "--trim": options.trim is not None,
             "--delta": options.delta != DELTA, "--tolerance": options.tolerance != DISTANCE}  # fmt: skip
    if wrong := [name for name, value in given.items() if value]:
        raise BadInput(f"--engines compares paths and pushes nothing away; leave out {' and '.join(wrong)}, or --engines.")
    circuit = circuit_of(
        problem, form=options.form, start_up=options.start_up, **build_options(options), **condition_options(options)
    )
    found = judgement.cross_check(
        circuit, [name.strip() for name in options.engines.split(",")], time_constants=options.time
    )
    if options.json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        show(report.agreement_table(found))
    return 0 if found.passed else 1
