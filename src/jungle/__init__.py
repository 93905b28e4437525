"""Postcards from my jungle: pictures, calls and language of animals that never lived."""

__all__ = ["__version__"]

__version__ = "0.2.0"
