"""Figures of the papers, each computed once for all tests of a module."""

import functools

from analogflow.reproduction import Reproduction, reproduce
from analogflow.reproduction.result import Curve

__all__ = ["curve", "found", "verdict"]


@functools.cache
def found(name: str) -> Reproduction:
    """A figure by its name."""
    return reproduce(name)


def verdict(name: str, part: str) -> str:
    """Verdict of the one finding whose claim holds `part`."""
    (one,) = [finding for finding in found(name).findings if part in finding.claim]
    return one.verdict


def curve(name: str, panel: str, label: str) -> Curve:
    """The one curve of a panel with this label."""
    (one,) = [c for p in found(name).panels if p.title == panel for c in p.curves if c.label == label]
    return one
