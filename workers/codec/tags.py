"""What an output says of its own colours; beside it a file carries nothing."""

from struct import pack
from typing import Any, Final
from zlib import crc32

from PIL import ImageCms


def _srgb_profile() -> bytes:
    """588 bytes, without the time of day: equal pictures are to be equal bytes."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]


SRGB_PROFILE: Final = _srgb_profile()
FULL_CHROMA: Final = 90  #: JPEG quality from which colours keep every pixel


def avif(quality: int) -> dict[str, Any]:
    """
    How Pillow is to write an AVIF; docs/benchmarks.md has what other speeds take and gain.

    One thread: outputs are encoded beside each other, and whoever is charged is the one it ran on.
    """
    subsampling = "4:4:4" if quality >= FULL_CHROMA else "4:2:0"
    options = {"quality": quality, "subsampling": subsampling, "icc_profile": SRGB_PROFILE}
    return options | {"speed": 9, "max_threads": 1}


#: What PNG has instead of a profile: 13 bytes that say sRGB, perceptual.
SRGB_CHUNK_PNG: Final = pack(">I", 1) + b"sRGB\0" + pack(">I", crc32(b"sRGB\0"))
