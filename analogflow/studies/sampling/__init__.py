"""Sampling: what one chunk of a study computes, and the rows that come of it."""

from analogflow.studies.sampling.chunks import compute, paths, prepare, sample_alone
from analogflow.studies.sampling.rows import LATE, Rows, ended_badly

__all__ = ["LATE", "Rows", "compute", "ended_badly", "paths", "prepare", "sample_alone"]
