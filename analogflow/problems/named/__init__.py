"""Problems of the literature by name, and seeded starts for them."""

from analogflow.problems.named import attention, channels, token_clouds

__all__ = ["attention", "channels", "token_clouds"]
