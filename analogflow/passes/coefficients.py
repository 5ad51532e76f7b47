"""What resolution, mismatch and temperature do to the coefficients of a block, kind by kind."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from analogflow.blocks import Block, Constant, Crossbar, Exp, Gain, Imperfections, Integrator, Softmax, Sum, Tanh
from analogflow.blocks.block import Array, frozen
from analogflow.blocks.imperfections import NOMINAL_TEMPERATURE

__all__ = ["coefficient_count", "factor", "vary"]

_LEAST_FACTOR = 1e-3

Varied = tuple[Block, tuple[Array | None, ...]]
"""A block, and the gain that stands before each of its ports (None: a wire)."""


def factor(sigma: float, deviates: Array) -> Array:
    """1 + σ·deviate, held above 0: no part is worth less than nothing."""
    return np.maximum(1 + sigma * deviates, _LEAST_FACTOR)


def coefficient_count(block: Block) -> int:
    """Number of coefficients of a block that mismatch, for which deviates are to be drawn."""
    match block:
        case Crossbar():
            return block.rows * block.weight.shape[-2] * block.weight.shape[-1]
        case Sum():
            return len(block.coefficients) * block.size
        case Softmax():
            return block.size + block.rows
        case Gain() | Constant() | Integrator():
            return block.size
    return 0


@functools.singledispatch
def vary(block: Block, deviates: Array, flaws: Imperfections) -> Varied:
    """Block with rounded and mismatched coefficients at the temperature of its junctions.

    ``deviates`` has shape (..., `coefficient_count`), standard normal.
    """
    return block, (None,) * len(block.ports)


@vary.register
def _(block: Crossbar, deviates: Array, flaws: Imperfections) -> Varied:
    weight = _rounded(block.weight, flaws)
    if flaws.mismatch:
        shape = (*deviates.shape[:-1], block.rows, *weight.shape[-2:])
        weight = weight * factor(flaws.mismatch, deviates).reshape(shape)
    return dataclasses.replace(block, weight=frozen(weight)), (None,)


@vary.register
def _(block: Gain, deviates: Array, flaws: Imperfections) -> Varied:
    coefficients = _rounded(block.coefficients, flaws)
    return dataclasses.replace(block, coefficients=frozen(_mismatched(coefficients, deviates, flaws))), (None,)


@vary.register
def _(block: Constant, deviates: Array, flaws: Imperfections) -> Varied:
    values = _mismatched(_rounded(block.values, flaws), deviates, flaws)
    return dataclasses.replace(block, values=frozen(values)), ()


@vary.register
def _(block: Sum, deviates: Array, flaws: Imperfections) -> Varied:
    coefficients = _rounded(np.array(block.coefficients), flaws).tolist()
    if not flaws.mismatch:
        return dataclasses.replace(block, coefficients=tuple(coefficients)), (None,) * len(coefficients)
    spread = factor(flaws.mismatch, deviates).reshape(*deviates.shape[:-1], len(coefficients), block.size)
    gains = tuple(coefficient * spread[..., port, :] for port, coefficient in enumerate(coefficients))
    return dataclasses.replace(block, coefficients=(1.0,) * len(coefficients)), gains


@vary.register
def _(block: Integrator, deviates: Array, flaws: Imperfections) -> Varied:
    """The capacitor deviates: all that charges or discharges it is as much slower."""
    if not flaws.mismatch:
        return block, (None,)
    slower = 1 / factor(flaws.mismatch, deviates)
    return dataclasses.replace(block, gain=frozen(block.gain * slower), leak=frozen(block.leak * slower)), (None,)


@vary.register
def _(block: Softmax, deviates: Array, flaws: Imperfections) -> Varied:
    """Junctions of unequal emitter area A shift the bases by ln A, whatever the temperature."""
    cold = NOMINAL_TEMPERATURE / flaws.temperature
    offsets = None if block.offsets is None else cold * _rounded(block.offsets, flaws)
    tail = None if block.tail is None else _rounded(block.tail, flaws)
    if flaws.mismatch:
        areas, shares = deviates[..., : block.size], deviates[..., block.size :]
        offsets = (0.0 if offsets is None else offsets) - np.log(factor(flaws.mismatch, areas))
        tail = (1.0 if tail is None else tail) * factor(flaws.mismatch, shares)
    varied = dataclasses.replace(
        block, offsets=None if offsets is None else frozen(offsets), tail=None if tail is None else frozen(tail)
    )
    return varied, (None if cold == 1 else np.full(block.size, cold),)


@vary.register(Exp)
@vary.register(Tanh)
def _(block: Block, deviates: Array, flaws: Imperfections) -> Varied:
    cold = NOMINAL_TEMPERATURE / flaws.temperature
    return block, (None if cold == 1 else np.full(block.size, cold),)


def _rounded(values: Array, flaws: Imperfections) -> Array:
    """Values on the grid of a converter of so many bits and a sign, whose full scale is the largest of them."""
    largest = abs(values).max(initial=0.0)
    if flaws.resolution == math.inf or not largest:
        return values
    steps = 2.0**flaws.resolution - 1
    return np.round(values / largest * steps) / steps * largest


def _mismatched(values: Array, deviates: Array, flaws: Imperfections) -> Array:
    return values * factor(flaws.mismatch, deviates) if flaws.mismatch else values
