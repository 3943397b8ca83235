"""XMP: the same in words that search engines and picture agencies read. Written before signing."""

import json
import re
from struct import pack, unpack
from typing import Final
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

from app.domain.parameters import OutputFormat
from workers.marking.boxes import described
from workers.marking.mark import AGENT, Mark

NAMESPACES: Final = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "impasto": "urn:impasto:xmp:1#",
}
HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
LONGEST: Final = 1_000  #: characters of a text that a card brings: a JPEG segment is 64 KiB
RECALLED: Final = ("style", "parameters", "render_key")
XMP_FLAG: Final = 0x04
UNSPEAKABLE: Final = re.compile(
    r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]"
)  #: in XML


def packet(mark: Mark) -> bytes:
    """What it is, whose look it is, under which terms, and what draws it again."""
    spaces = "".join(f' xmlns:{name}="{url}"' for name, url in NAMESPACES.items())
    attributes = "".join(
        f" {name}={quoteattr(_said(value))}" for name, value in _attributes(mark).items()
    )
    body = _terms(mark) + _licensors(mark) + f"<impasto:render>{_render(mark)}</impasto:render>"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{spaces}{attributes}>{body}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def _said(text: str) -> str:
    """What a card brings, at a length and in characters that XML has."""
    return UNSPEAKABLE.sub("", text[:LONGEST])


def tagged(content: bytes, format: OutputFormat, text: bytes) -> bytes:
    """A file that `encode` or `Strips` wrote, with that XMP packet in it."""
    match format:
        case OutputFormat.JPEG:
            return _jpeg(content, text)
        case OutputFormat.PNG:
            return _png(content, text)
        case OutputFormat.WEBP:
            return _webp(content, text)
        case OutputFormat.AVIF:
            return described(content, text)


def _attributes(mark: Mark) -> dict[str, str]:
    shown = {
        "Iptc4xmpExt:DigitalSourceType": mark.source_type,
        "Iptc4xmpExt:AISystemUsed": AGENT["name"] if mark.stylizer else None,
        "Iptc4xmpExt:AISystemVersionUsed": AGENT["version"] if mark.stylizer else None,
        "photoshop:Credit": f"Style: {_joined(mark, 'credit')}" if mark.stylizer else None,
    }
    return {name: value for name, value in shown.items() if value}


def _joined(mark: Mark, name: str) -> str:
    return "; ".join(filter(None, (getattr(facts, name) for facts in mark.styles)))


def _terms(mark: Mark) -> str:
    terms = [f"{facts.pin}: {facts.terms}" for facts in mark.styles if facts.terms]
    if not (terms and mark.stylizer):
        return ""
    text = escape(_said("Style " + "; ".join(terms)))
    item = f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
    return f"<xmpRights:UsageTerms>{item}</xmpRights:UsageTerms>"


def _licensors(mark: Mark) -> str:
    names = dict.fromkeys(facts.licensor for facts in mark.styles if facts.licensor)
    if not (names and mark.stylizer):
        return ""
    items = "".join(f"<rdf:li plus:LicensorName={quoteattr(_said(name))}/>" for name in names)
    return f"<plus:Licensor><rdf:Seq>{items}</rdf:Seq></plus:Licensor>"


def _render(mark: Mark) -> str:
    """What draws it again, as far as somebody needs it who has the picture: every byte counts."""
    facts = {name: mark.render[name] for name in RECALLED if name in mark.render}
    return escape(json.dumps(facts, separators=(",", ":")))


def _jpeg(content: bytes, text: bytes) -> bytes:
    """Behind the JFIF header, where EXIF would stand before it."""
    after = 2
    if content[2:4] == b"\xff\xe0":
        after = 4 + int(unpack(">H", content[4:6])[0])
    segment = b"\xff\xe1" + pack(">H", 2 + len(HEAD) + len(text)) + HEAD + text
    return b"".join((content[:after], segment, content[after:]))


def _png(content: bytes, text: bytes) -> bytes:
    """A text chunk right behind the header."""
    name, body = b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text
    chunk = pack(">I", len(body)) + name + body + pack(">I", crc32(name + body))
    return b"".join((content[:33], chunk, content[33:]))


def _webp(content: bytes, text: bytes) -> bytes:
    """The last chunk; our files have the long header already, which says that there is one."""
    if content[12:16] != b"VP8X":
        raise ValueError("a WebP without the extended header has no room for XMP")
    chunk = b"XMP " + pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    size = pack("<I", len(content) - 8 + len(chunk))
    flags = bytes([content[20] | XMP_FLAG])
    return b"".join((content[:4], size, content[8:20], flags, content[21:], chunk))
