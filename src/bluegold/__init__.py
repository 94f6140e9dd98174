"""bluegold: architecture you can run."""

from bluegold._version import __version__

__all__ = ["__version__"]
