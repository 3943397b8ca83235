"""XMP in an AVIF: one item more among the boxes of a file that libavif wrote."""

from collections.abc import Iterator
from struct import pack, unpack_from
from typing import Final

XMP_TYPE: Final = b"XMP\0application/rdf+xml\0"  #: the item's name, and what it holds
PICTURE: Final = 1  #: the item that a file of ours shows
LOCATION: Final = 14  #: bytes of an entry of `iloc`: id, references, extents, offset, length
PARTS: Final = (b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp")  #: of `meta`, in order
WIDTHS: Final = b"\x44\x00"  #: of offsets and lengths in `iloc`, four bytes each, and no base


def described(content: bytes, text: bytes) -> bytes:
    """
    The file with that XMP packet, byte for byte as libavif would have written it.

    `encode` cannot have it written there: what a file says of itself is known behind it. Raises
    `ValueError` for a file that is laid out in another way than ours.
    """
    boxes = list(_boxes(content, 0))
    if [name for name, _ in boxes] != [b"ftyp", b"meta", b"mdat"]:
        raise ValueError("an AVIF that libavif did not write has no known room for XMP")
    (_, head), (_, meta), (_, pixels) = boxes
    new = _meta(meta, len(text), before=8 + len(head) + 8)
    return b"".join((_box(b"ftyp", head), _box(b"meta", new), _box(b"mdat", text + pixels)))


def _meta(meta: bytes, length: int, *, before: int) -> bytes:
    """The body of `meta` with one item more; `before` is where it begins in the file."""
    parts = {b"iref": bytes(4), **dict(_boxes(meta, 4))}
    if parts.keys() != set(PARTS):
        raise ValueError("an AVIF with other boxes than ours has no known room for XMP")
    item = int(unpack_from(">H", parts[b"iinf"], 4)[0]) + 1
    about = pack(">HH", item, 0) + b"mime" + XMP_TYPE
    parts[b"iinf"] = _longer(parts[b"iinf"], _box(b"infe", b"\2\0\0\0" + about))
    of = _box(b"cdsc", pack(">HHH", item, 1, PICTURE))
    parts[b"iref"] += of
    size = 4 + sum(8 + len(body) for body in parts.values()) + LOCATION
    start = before + size + 8  # of what `mdat` holds, and the packet is the first of it
    moved = start + length - (before + len(meta) + 8)
    parts[b"iloc"] = _moved(parts[b"iloc"], moved) + pack(">HHHII", item, 0, 1, start, length)
    return meta[:4] + b"".join(_box(name, parts[name]) for name in PARTS)


def _moved(locations: bytes, by: int) -> bytes:
    """The body of `iloc`, counting one item more, and every item `by` bytes further down."""
    if locations[4:6] != WIDTHS:
        raise ValueError("an AVIF that says where its items are in another way than ours")
    (amount,) = unpack_from(">H", locations, 6)
    moved = locations[:6] + pack(">H", amount + 1)
    for place in range(8, 8 + LOCATION * amount, LOCATION):
        item, reference, extents, offset, length = unpack_from(">HHHII", locations, place)
        moved += pack(">HHHII", item, reference, extents, offset + by, length)
    return moved


def _longer(items: bytes, new: bytes) -> bytes:
    """The body of `iinf` with one entry more."""
    (amount,) = unpack_from(">H", items, 4)
    return items[:4] + pack(">H", amount + 1) + items[6:] + new


def _boxes(content: bytes, place: int) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies, one after the other."""
    while place < len(content):
        size, name = unpack_from(">I4s", content, place)
        if not 8 <= size <= len(content) - place:
            raise ValueError("a box that does not end where its file does")
        yield name, content[place + 8 : place + size]
        place += size


def _box(name: bytes, body: bytes) -> bytes:
    return pack(">I", 8 + len(body)) + name + body
