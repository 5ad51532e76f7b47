"""Exact paths of equations of the user's own: two integrations of different kinds."""

from analogflow.reference.equations.path import EquationsReference, equations_reference, path_end

__all__ = ["EquationsReference", "equations_reference", "path_end"]
