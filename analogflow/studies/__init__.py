"""Studies: many samples of many conditions, and what may be concluded from them."""

__all__ = []
