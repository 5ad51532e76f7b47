"""analogflow: compile continuous-time flows into analog circuits, simulate them, and prove what they compute.

    import analogflow as af
    channel = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
    print(af.solve(channel))

Importing the package loads nothing else: what is used is loaded on first use. Public names stand in ``__init__.pyi``.
"""

from __future__ import annotations

from typing import Any

from analogflow.doors import opened

_offered, __dir__ = opened(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("analogflow")
    return _offered(name)
