"""Figures of the papers, each computed once for all tests of a module."""

import functools

from analogflow.papers import Line, Reproduction, reproduce
from analogflow.papers.result import Curve

__all__ = ["curve", "found", "line", "verdict"]


@functools.cache
def found(name: str) -> Reproduction:
    """A figure by its name."""
    return reproduce(name)


def line(name: str, part: str) -> Line:
    """The one line whose claim holds `part`."""
    (one,) = [line for line in found(name).lines if part in line.claim]
    return one


def verdict(name: str, part: str) -> str:
    """Verdict of the one line whose claim holds `part`."""
    return line(name, part).verdict


def curve(name: str, panel: str, label: str) -> Curve:
    """The one curve of a panel with this label."""
    (one,) = [c for p in found(name).panels if p.title == panel for c in p.curves if c.label == label]
    return one
