"""Impasto: photographs in the look of a painting or a brand, in bulk."""

__version__ = "0.1.0"


def software(commit: str) -> str:
    """What runs, for records of what it made: the version, and the source's commit if known."""
    return f"{__version__}+{commit[:12]}" if commit else __version__
