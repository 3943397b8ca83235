"""
The child program for large pictures: from a file to raw pixels and back, a few rows at a time.

Run once for each picture, `python -m workers.codec.press decode|encode …`; its parent is `strips`.
libvips reads and writes the files as streams, which Pillow cannot; what colours mean is decided by
the same code as for small pictures. No numpy here: the limits are tight.
"""

import os
import resource
import sys
import warnings
from collections.abc import Iterator, Sequence
from math import ceil
from struct import pack
from typing import Any, Final

import pyvips
from PIL import Image
from PIL.ImageFile import ImageFile

from app.images import HEADER_BYTES, open_picture, orientation
from workers.codec.decoder import (
    Allowance,
    Planes,
    answered,
    colours,
    confine,
    fitted,
    write,
)
from workers.codec.tags import FULL_CHROMA, SRGB_PROFILE, avif
from workers.codec.wire import REPLY, Answer

STRIP: Final = 2**20  #: pixels that are in memory at once
SHARE: Final = 2**24  #: pixels for which a picture gets the CPU seconds of a small one
BANDS: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
DPI: Final = 72 / 25.4  #: per millimetre; libvips would write down 25 dpi
LOADERS: Final = {"decode": ("Jpeg", "Png", "Webp"), "encode": ("Tiff",)}


def decode(content: int, scratch: int, longest: int, allowance: Allowance) -> bytes:
    """
    Write the planes of a picture: RGB at 0 and alpha behind it, as stored, sRGB, over white.

    Answers with a reply and the orientation in which to read them.
    """
    head = os.pread(content, HEADER_BYTES, 0)
    if head.startswith(b"RIFF"):  # WebP keeps its metadata at the end
        head = os.pread(content, os.fstat(content).st_size, 0)
    opened = open_picture(head, allowance)
    _renew(allowance.seconds * ceil(opened.size[0] * opened.size[1] / SHARE))
    width, height = target = fitted(opened.size, longest)
    offsets, opaque = [0, 3 * width * height], True
    for picture, alpha in _strips(opened, _loaded(content, opened, target)):
        offsets[0] += write(scratch, picture.tobytes(), offsets[0])
        if alpha is not None:
            plane = alpha.tobytes()
            opaque = opaque and plane.count(255) == len(plane)
            offsets[1] += write(scratch, plane, offsets[1])
    planes = 3 if opaque else 4
    return REPLY.pack(Answer.PIXELS, width, height, planes) + bytes([orientation(opened)])


def encode(scratch: int, out: int, format: str, quality: int, *shape: int) -> bytes:
    """Write the file of the planes in `scratch`; `shape` is width, height, 3 or 4 with alpha."""
    width, height, planes = shape
    if format == "avif":
        _write_avif(scratch, out, quality, (width, height), alpha=planes == 4)
        return REPLY.pack(Answer.PIXELS, width, height, planes)
    sources = [_source(scratch, 0, 3, width, height)]  # must outlive what is read from them
    if planes == 4:
        sources.append(_source(scratch, 3 * width * height, 1, width, height))
    image, *alpha = (pyvips.Image.tiffload_source(each, access="sequential") for each in sources)
    image = image.bandjoin(alpha)
    image = image.copy(interpretation="srgb", xres=DPI, yres=DPI)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", SRGB_PROFILE)
    target = pyvips.Target.new_to_descriptor(out)
    match format:
        case "jpeg":
            chroma = "off" if quality >= FULL_CHROMA else "on"
            image.jpegsave_target(target, Q=quality, subsample_mode=chroma, keep="icc")
        case "png":
            image.pngsave_target(target, compression=1, filter="all", keep="none")
        case _:
            image.webpsave_target(target, Q=quality, effort=2, keep="icc")
    return REPLY.pack(Answer.PIXELS, width, height, planes)


def _write_avif(
    scratch: int, out: int, quality: int, size: tuple[int, int], *, alpha: bool
) -> None:
    """In one piece, by the encoder that small ones have: nobody writes an AVIF by the strip."""
    area = size[0] * size[1]
    picture = Image.frombytes("RGB", size, os.pread(scratch, 3 * area, 0))
    if alpha:
        picture.putalpha(Image.frombytes("L", size, os.pread(scratch, area, 3 * area)))
    with os.fdopen(out, "wb", closefd=False) as file:
        picture.save(file, "AVIF", **avif(quality))


def _loaded(content: int, opened: ImageFile, target: tuple[int, int]) -> Any:
    """The picture as a stream of 8-bit rows, shrunk to `target`."""
    source = pyvips.Source.new_from_descriptor(content)
    options: dict[str, Any] = {"access": "sequential", "fail_on": "truncated"}
    format = str(opened.format).lower()
    if format in ("jpeg", "mpo"):
        image = pyvips.Image.jpegload_source(source, shrink=_shrink(opened.size, target), **options)
    elif format == "png":
        image = pyvips.Image.pngload_source(source, **options)
    else:
        image = pyvips.Image.webpload_source(source, **options)
    if image.format == "ushort":
        image = (image >> 8).cast("uchar").copy(interpretation="srgb")  # the upper byte
    return _resized(image, target)


def _shrink(size: tuple[int, int], target: tuple[int, int]) -> int:
    """The DCT can leave out detail for free; twice the target keeps what LANCZOS needs."""
    room = min(size[0] // (2 * target[0]), size[1] // (2 * target[1]))
    return max(factor for factor in (1, 2, 4, 8) if factor <= max(1, room))


def _resized(image: Any, target: tuple[int, int]) -> Any:
    if (image.width, image.height) == target:
        return image
    scale, vscale = target[0] / image.width, target[1] / image.height
    if image.bands not in (2, 4) or image.interpretation == "cmyk":
        return image.resize(scale, vscale=vscale, kernel="lanczos3")
    image = image.premultiply().resize(scale, vscale=vscale, kernel="lanczos3").unpremultiply()
    return image.rint().cast("uchar")


def _strips(opened: ImageFile, image: Any) -> Iterator[Planes]:
    """What the small decoder makes of a picture, from top to bottom."""
    mode = "CMYK" if image.interpretation == "cmyk" else BANDS[image.bands]
    profile = opened.info.get("icc_profile")
    region, rows = pyvips.Region.new(image), max(8, STRIP // image.width)
    for top in range(0, image.height, rows):
        size = image.width, min(rows, image.height - top)
        strip = Image.frombuffer(mode, size, region.fetch(0, top, *size), "raw", mode, 0, 1)
        if mode == "LA":
            strip = strip.convert("RGBA")
        yield colours(strip, profile)


def _source(file: int, offset: int, bands: int, width: int, height: int) -> Any:
    """A plane as if it were a TIFF, read in strips: as raw pixels, libvips would map all of it."""
    head = _tiff_head(bands, width, height)
    end = len(head) + bands * width * height
    place = 0

    def read(amount: int) -> bytes:
        nonlocal place
        if place < len(head):
            block = head[place : place + amount]
        else:
            block = os.pread(file, min(amount, end - place), offset + place - len(head))
        place += len(block)
        return block

    def seek(to: int, whence: int) -> int:
        nonlocal place
        place = to + (0, place, end)[whence]
        return place

    source = pyvips.SourceCustom()
    source.on_read(read)
    source.on_seek(seek)
    return source


def _tiff_head(bands: int, width: int, height: int) -> bytes:
    """What stands before uncompressed pixels: eight bytes, one directory, its arrays."""
    rows = max(1, STRIP // width)
    full, rest = divmod(height, rows)
    strips = full + bool(rest)
    tags, start = 9, 8 + 2 + 12 * 9 + 4
    depths, offsets = start, start + 2 * bands + 2 * (bands % 2)
    counts = offsets + 4 * strips
    pixels, size = counts + 4 * strips, bands * width * rows
    lengths = [size] * full + [bands * width * rest] * bool(rest)
    fields = (
        *((256, 4, 1, width), (257, 4, 1, height)),
        (258, 3, bands, depths if bands > 2 else 8),
        *((259, 3, 1, 1), (262, 3, 1, 2 if bands == 3 else 1)),
        (273, 4, strips, offsets if strips > 1 else pixels),
        *((277, 3, 1, bands), (278, 4, 1, rows)),
        (279, 4, strips, counts if strips > 1 else lengths[0]),
    )
    head = pack("<2sHIH", b"II", 42, 8, tags)
    head += b"".join(pack("<HHII", *one) for one in fields) + bytes(4)
    head += (pack("<H", 8) * bands).ljust(offsets - depths, b"\0")
    head += pack(f"<{strips}I", *range(pixels, pixels + size * strips, size))
    return head + pack(f"<{strips}I", *lengths)


def _confine(task: str, allowance: Allowance) -> None:
    """What this program never needs is out of its reach, whatever a picture makes of it."""
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in LOADERS[task]:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.cache_set_max(0)
    confine(allowance)


def _renew(seconds: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def main(arguments: Sequence[str]) -> None:
    """
    `decode` or `encode`, five limits, then what is asked.

    `decode … CONTENT SCRATCH LONGEST`, `encode … SCRATCH OUT FORMAT QUALITY WIDTH HEIGHT PLANES`.
    """
    task, *rest = arguments
    allowance = Allowance(*map(int, rest[:5]))
    first, second, *asked = rest[5:]
    files = int(first), int(second)
    warnings.simplefilter("ignore")  # Pillow's opinions; our own limits are stricter
    _confine(task, allowance)
    if task == "decode":
        answer = answered(lambda: decode(*files, int(asked[0]), allowance))
    else:
        answer = answered(lambda: encode(*files, asked[0], *map(int, asked[1:])))
    os.write(sys.stdout.fileno(), answer)


if __name__ == "__main__":
    main(sys.argv[1:])
