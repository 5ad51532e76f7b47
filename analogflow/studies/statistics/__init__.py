"""What may be concluded from a study's samples: intervals, comparisons, yields, tolerances and when to stop."""

from analogflow.doors import opened

__getattr__, __dir__ = opened(__name__, __file__)
