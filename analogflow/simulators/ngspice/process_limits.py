"""Limits that the operating system puts on the simulator's process, where it can."""

from __future__ import annotations

import contextlib

__all__ = ["limit_process"]

_LARGEST_FILE = 2**26
"""Bytes of any one file: noise tables, and anything ngspice could be made to write."""


def limit_process(memory: int) -> None:
    """Bound the address space of this process to `memory` bytes, and what it may write; no core dumps."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, _LARGEST_FILE), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))
