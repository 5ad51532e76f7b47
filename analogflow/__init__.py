"""analogflow: compile continuous-time flows into analog circuits, simulate them, and prove what they compute.

    import analogflow as af
    channel = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
    print(af.solve(channel))

Importing the package loads nothing else: what is used is loaded on first use.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analogflow import flows
    from analogflow.blocks import Imperfections
    from analogflow.circuit import Circuit
    from analogflow.comparison import Comparison, compare
    from analogflow.compiler import compile, degrade
    from analogflow.errors import (
        AnalogflowError,
        BadInput,
        MissingProgram,
        NoCell,
        SimulationFailed,
        UnstableManifold,
        Untraceable,
    )
    from analogflow.flows import Averaging, CommonMode, Flow, Simplex, Sphere, WeightedMean
    from analogflow.graph import BlockGraph, comparator, log, normalise, softmax, switch, white_noise
    from analogflow.hardware import Mapping, map_flow
    from analogflow.hardware.parts_list import PartsList, parts_list
    from analogflow.hardware.preferred import preferred
    from analogflow.netlister import Deck, netlist
    from analogflow.netlister.pyspice import subcircuit
    from analogflow.noise import Noise
    from analogflow.outcome import Outcome
    from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Schedule, Transport
    from analogflow.report import draw_blocks, draw_circuit, plot_capacity, save_figure
    from analogflow.simulators import Ensemble, ensemble, ensemble_chunks, simulate
    from analogflow.solution import Solution, solve
    from analogflow.studies import Study, export_study, open_study, run_study
    from analogflow.technology import part_set, spread
    from analogflow.trajectory import Trajectory
    from analogflow.validation import Budget, Certificate, Level, Parity, certify, error_budget, parity, verification_levels
    from analogflow.verification import Verification, restart_classes, verify

__version__: str

__all__ = [
    "AnalogflowError",
    "Attention",
    "Averaging",
    "BadInput",
    "BlockGraph",
    "Budget",
    "Certificate",
    "Channel",
    "Circuit",
    "CommonMode",
    "Comparison",
    "Deck",
    "Ensemble",
    "Equations",
    "Flow",
    "Hopfield",
    "Imperfections",
    "Langevin",
    "Level",
    "Mapping",
    "MissingProgram",
    "NoCell",
    "Noise",
    "Outcome",
    "Parity",
    "PartsList",
    "RateDistortion",
    "Schedule",
    "Simplex",
    "SimulationFailed",
    "Solution",
    "Sphere",
    "Study",
    "Trajectory",
    "Transport",
    "UnstableManifold",
    "Untraceable",
    "Verification",
    "WeightedMean",
    "certify",
    "comparator",
    "compare",
    "compile",
    "degrade",
    "draw_blocks",
    "draw_circuit",
    "ensemble",
    "ensemble_chunks",
    "error_budget",
    "export_study",
    "flows",
    "log",
    "map_flow",
    "netlist",
    "normalise",
    "open_study",
    "parity",
    "part_set",
    "parts_list",
    "plot_capacity",
    "preferred",
    "restart_classes",
    "run_study",
    "save_figure",
    "simulate",
    "softmax",
    "solve",
    "spread",
    "subcircuit",
    "switch",
    "verification_levels",
    "verify",
    "white_noise",
]

_HOLDS = {
    "blocks": ("Imperfections",),
    "circuit": ("Circuit",),
    "comparison": ("Comparison", "compare"),
    "compiler": ("compile", "degrade"),
    "errors": (
        "AnalogflowError",
        "BadInput",
        "MissingProgram",
        "NoCell",
        "SimulationFailed",
        "UnstableManifold",
        "Untraceable",
    ),
    "flows": ("Averaging", "CommonMode", "Flow", "Simplex", "Sphere", "WeightedMean"),
    "graph": ("BlockGraph", "comparator", "log", "normalise", "softmax", "switch", "white_noise"),
    "hardware": ("Mapping", "map_flow"),
    "hardware.parts_list": ("PartsList", "parts_list"),
    "hardware.preferred": ("preferred",),
    "netlister": ("Deck", "netlist"),
    "netlister.pyspice": ("subcircuit",),
    "noise": ("Noise",),
    "outcome": ("Outcome",),
    "problems": ("Attention", "Channel", "Equations", "Hopfield", "Langevin", "RateDistortion", "Schedule", "Transport"),
    "report": ("draw_blocks", "draw_circuit", "plot_capacity", "save_figure"),
    "simulators": ("Ensemble", "ensemble", "ensemble_chunks", "simulate"),
    "solution": ("Solution", "solve"),
    "studies": ("Study", "export_study", "open_study", "run_study"),
    "technology": ("part_set", "spread"),
    "trajectory": ("Trajectory",),
    "validation": ("Budget", "Certificate", "Level", "Parity", "certify", "error_budget", "parity", "verification_levels"),
    "verification": ("Verification", "restart_classes", "verify"),
}
"""Where each public name is."""

_MODULE_OF = {name: module for module, names in _HOLDS.items() for name in names}

_SHOWN = {
    "solution": ("Solution", "html"),
    "verification": ("Verification", "html"),
    "comparison": ("Comparison", "html"),
    "flows": ("Flow", "html"),
    "graph": ("BlockGraph", "svg"),
    "circuit": ("Circuit", "svg"),
    "studies": ("Study", "html"),
}
"""What draws itself in a notebook, by module."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        value = metadata.version("analogflow")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(f"analogflow.{_MODULE_OF[name]}"), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"analogflow.{name}"):
        value = importlib.import_module(f"analogflow.{name}")
    else:
        raise AttributeError(f"module 'analogflow' has no attribute {name!r}")
    for module, (kind, language) in _SHOWN.items():
        if found := getattr(sys.modules.get(f"analogflow.{module}"), kind, None):
            _shows_itself(found, language)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _shows_itself(kind: Any, language: str) -> None:
    """Let objects of a class draw themselves in notebooks; what draws is loaded when one is shown."""

    def shown(thing: Any) -> str | None:
        return getattr(importlib.import_module("analogflow.report.notebook"), f"shown_{language}")(thing)

    if not hasattr(kind, f"_repr_{language}_"):
        setattr(kind, f"_repr_{language}_", shown)
