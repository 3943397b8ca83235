"""Every picture the tests need, made in code: honest ones, odd ones and hostile ones."""

import struct
import zlib
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageCms

Colour = tuple[int, ...]

RED: Final = (220, 40, 30)
BLUE: Final = (30, 60, 200)
ORIENTATION: Final = 0x0112
GPS: Final = 0x8825


def halves(
    size: tuple[int, int] = (64, 48), left: Colour = RED, right: Colour = BLUE
) -> Image.Image:
    """Two colours side by side, so that a turned or mirrored picture shows it."""
    picture = Image.new("RGB", size, left)
    picture.paste(right, (size[0] // 2, 0, *size))
    return picture


def photo(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Smooth in every channel, like photographs are: lossy formats keep it closely."""
    ramp = Image.linear_gradient("L")
    planes = (ramp, ramp.rotate(90), Image.radial_gradient("L"))
    return Image.merge("RGB", planes).resize(size, Image.Resampling.BILINEAR)


def saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    return saved(photo(size), "JPEG", **{"quality": 92} | options)


def png(size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    return saved(photo(size), "PNG", **options)


def webp(size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    return saved(photo(size), "WEBP", **options)


def held(orientation: int, format: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    """Red on the left and blue on the right as stored; EXIF says how to turn it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(halves(size), format, exif=exif)


def located(format: str = "JPEG") -> bytes:
    """A photograph that says where it was taken."""
    exif = Image.Exif()
    exif[ORIENTATION] = 1  # with nothing but a directory of its own, Pillow counts it as empty
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    return saved(photo(), format, exif=exif)


def cmyk(ink: Colour = (0, 255, 255, 0), **options: Any) -> bytes:
    """Full magenta and yellow: red on paper. Pillow writes it inverted, as Adobe does."""
    return saved(Image.new("CMYK", (64, 48), ink), "JPEG", quality=95, **options)


def ramp_16_bit() -> bytes:
    """Grey from black to white over 256 columns in 65,536 steps."""
    row = b"".join(struct.pack(">H", column * 257) for column in range(256))
    return raw_png(256, 64, depth=16, colour=0, rows=row, amount=64)


def rgb_16_bit(pixel: Colour = (65535, 32896, 257)) -> bytes:
    return raw_png(64, 48, depth=16, colour=2, rows=struct.pack(">3H", *pixel) * 64, amount=48)


def grey_16_bit_with_hole(absent: int = 0x1234) -> bytes:
    """Left half: the grey that counts as transparent; right half: the next one of 65,536."""
    row = struct.pack(">H", absent) * 32 + struct.pack(">H", absent + 1) * 32
    hole = chunk(b"tRNS", struct.pack(">H", absent))
    return raw_png(64, 48, depth=16, colour=0, rows=row, amount=48, before=hole)


def palette_with_alpha() -> bytes:
    """Left half: a palette entry that is half transparent red; right half: opaque blue."""
    picture = Image.new("P", (64, 48), 0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (32, 0, 64, 48))
    return saved(picture, "PNG", transparency=bytes([128, 255]))


def with_alpha(mode: str = "RGBA", format: str = "PNG", **options: Any) -> bytes:
    """Left half fully transparent, right half opaque blue (grey 90 for LA)."""
    solid = (*BLUE, 255) if mode == "RGBA" else (90, 255)
    clear = (*RED, 0) if mode == "RGBA" else (200, 0)
    picture = Image.new(mode, (64, 48), clear)
    picture.paste(solid, (32, 0, 64, 48))
    return saved(picture, format, **options)


def wide_gamut_profile(*, swapped: bool = False) -> bytes:
    """An RGB profile with primaries far outside sRGB (ProPhoto's), written byte by byte."""
    primaries = [(0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)]
    if swapped:
        primaries.reverse()
    return matrix_profile(primaries, gamma=1.8)


def matrix_profile(primaries: list[tuple[float, float, float]], gamma: float) -> bytes:
    """A version 2 matrix profile: primaries as XYZ seen under D50, one gamma for all."""
    xyz = [b"XYZ \0\0\0\0" + b"".join(map(_fixed, colour)) for colour in primaries]
    white = b"XYZ \0\0\0\0" + b"".join(map(_fixed, (0.9642, 1.0, 0.8249)))
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(78)
    tags = [(b"desc", text), (b"cprt", b"text\0\0\0\0none\0\0\0\0"), (b"wtpt", white)]
    tags += zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True)
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, body, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, block in tags:
        block += bytes(-len(block) % 4)
        table += name + struct.pack(">II", offset + len(body), len(block))
        body += block
    head = struct.pack(
        ">I4sI4s4s4s", offset + len(body), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(_fixed, (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + table + body


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def animated(format: str) -> bytes:
    """Three pictures in one file: GIF, WebP or APNG (`format="PNG"`)."""
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (10, 120, 240)]
    return saved(frames[0], format, save_all=True, append_images=frames[1:], duration=40)


def phone_pair() -> bytes:
    """A multi-picture JPEG (MPO), as phones write them: the photograph, then something else."""
    return saved(halves(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])


def truncated(content: bytes, keep: float = 0.6) -> bytes:
    return content[: int(len(content) * keep)]


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with a correct checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def raw_png(
    width: int,
    height: int,
    *,
    depth: int,
    colour: int,
    rows: bytes,
    amount: int,
    before: bytes = b"",
) -> bytes:
    """What Pillow does not write: any depth, any chunks `before` the pixels, too few rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + rows) * amount, 9))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + chunk(b"IEND", b"")


def blank(width: int, height: int) -> bytes:
    """A PNG that is black, one bit a pixel: 24 kB for 200 megapixels."""
    return raw_png(width, height, depth=1, colour=0, rows=bytes(-(-width // 8)), amount=height)


def png_bomb(side: int = 50_000) -> bytes:
    """A few hundred bytes that promise side x side pixels; the stream behind them is short."""
    return raw_png(side, side, depth=1, colour=0, rows=bytes(side // 8), amount=64)


def webp_bomb(side: int = 7_000) -> bytes:
    """38 bytes of lossless WebP that ask their decoder for 754 MB."""
    bits = (side - 1) | (side - 1) << 14
    payload = b"\x2f" + struct.pack("<I", bits) + b"\x88\x88\x08\x07\x10\x11\x11\x01\x88"
    payload = payload.ljust(18, b"\0")
    body = b"WEBPVP8L" + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", len(body)) + body


def strip(width: int = 70_000, height: int = 10) -> bytes:
    return saved(Image.new("RGB", (width, height), RED), "PNG")


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
