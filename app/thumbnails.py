"""
Small pictures of large ones, made by a limited child process: whatever a picture does, it ends.

As a program (`python -m app.thumbnails SIDE`) it reads frames from stdin and answers each on
stdout: four bytes of length, then the bytes; an answer of no length is a picture that cannot be.
"""

import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO, Final

from PIL import AvifImagePlugin, Image, ImageCms, ImageOps

PIXELS: Final = 25_000_000  #: of the largest picture that is looked at
MEMORY: Final = 2**30  #: bytes of address space
CPU_SECONDS: Final = 20
WALL_SECONDS: Final = 60.0
FORMATS: Final = ("JPEG", "PNG", "WEBP", "AVIF")


def thumbnails(pictures: Sequence[bytes], *, side: int) -> list[bytes | None]:
    """A JPEG that fits into `side` pixels for each picture; None where there is none to be had."""
    frames = b"".join(_frame(picture) for picture in pictures)
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__, str(side)],
            input=frames,
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},  # no secrets in there
        )
        answers = done.stdout
    except subprocess.TimeoutExpired as error:
        answers = error.stdout or b""
    made = [content or None for content in _frames(BytesIO(answers))]
    return [*made, *[None] * (len(pictures) - len(made))]  # what a child that died still owed


def main() -> None:
    """The child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    Image.MAX_IMAGE_PIXELS = PIXELS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the stacks of many would not fit into our memory
    side = int(sys.argv[1])
    for picture in _frames(sys.stdin.buffer):
        sys.stdout.buffer.write(_frame(_thumbnail(picture, side) or b""))
        sys.stdout.buffer.flush()


def _thumbnail(picture: bytes, side: int) -> bytes | None:
    try:
        with Image.open(BytesIO(picture), formats=FORMATS) as opened:
            if opened.width * opened.height > PIXELS:
                return None
            opened.draft("RGB", (2 * side, 2 * side))
            small = ImageOps.exif_transpose(_in_srgb(opened))
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = BytesIO()
        small.save(file, "JPEG", quality=82)
        return file.getvalue()
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None  # broken in one of Pillow's ways; the answer says so


def _in_srgb(opened: Image.Image) -> Image.Image:
    """Over white where it is transparent, in the colours of a screen."""
    if opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info:
        over = Image.new("RGBA", opened.size, "white")
        over.alpha_composite(opened.convert("RGBA"))
        return over.convert("RGB")
    profile = opened.info.get("icc_profile")
    if profile and opened.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            changed = ImageCms.profileToProfile(opened, source, target, outputMode="RGB")
        except ImageCms.PyCMSError:
            return opened.convert("RGB")
        if changed is not None:
            changed.info.update(exif=opened.info.get("exif", b""))
            return changed
    return opened.convert("RGB")


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


def _frames(file: BinaryIO | BytesIO) -> Iterator[bytes]:
    while len(length := file.read(4)) == 4:
        size = int.from_bytes(length)
        content = file.read(size)
        if len(content) < size:
            return
        yield content


if __name__ == "__main__":
    main()
