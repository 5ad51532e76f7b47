"""Holds the linear algebra library to one thread where matrices are small, which is where a second one only waits."""

from __future__ import annotations

import contextlib
import functools

from threadpoolctl import ThreadpoolController

__all__ = ["few_threads"]

_WORTH_MORE = 512


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def few_threads(size: int) -> contextlib.AbstractContextManager[object]:
    """One thread for problems of fewer than 512 states; as many as the library takes for larger ones."""
    return _controller().limit(limits=1) if size < _WORTH_MORE else contextlib.nullcontext()
