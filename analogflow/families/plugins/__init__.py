"""Families of one file each: a problem, its flow, its reference and its record. Nothing outside names them.

Every module here is found by its name: ``linear_system.py`` holds the `Family` ``LINEAR_SYSTEM``, which calls itself
"linear-system". Another package brings such a file by an entry point instead.
"""

from __future__ import annotations

__all__ = []
