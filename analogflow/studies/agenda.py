"""Which chunks of a study are to be computed next, given the errors of those that are there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.studies.design import Study
from analogflow.studies.grid import Chunk

__all__ = ["missing_chunks"]


def missing_chunks(study: Study, errors: Mapping[int, NDArray[np.float64]]) -> tuple[list[Chunk], int]:
    """Chunks to be computed before the next look, none where the study has all it asks for, and its samples as far as known.

    Parameters
    ----------
    study : Study
    errors : mapping of chunk number to array
        Errors of the chunks that are there, NaN where a sample failed.
    """
    count = len(study.conditions)
    if study.stop is None:
        return [chunk for chunk in study.chunks if chunk.number not in errors], count * study.samples
    held: list[list[NDArray[np.float64]]] = [[] for _ in range(count)]
    broken = [False] * count
    for chunk in study.chunks:
        broken[chunk.condition] |= chunk.number not in errors
        if not broken[chunk.condition]:
            held[chunk.condition].append(errors[chunk.number])
    upto, ended = study.stop.wanted([np.concatenate(parts) if parts else np.zeros(0) for parts in held], study.samples)
    missing = [c for c in study.chunks if c.number not in errors and c.last <= upto[c.condition]]
    return missing, sum(size if over else study.samples for size, over in zip(upto, ended, strict=True))
