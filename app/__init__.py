"""Impasto: photographs in the look of a painting or a brand, in bulk."""

__version__ = "0.1.0"
