"""What fuzzing begins with: pictures of every kind we make ourselves, addresses that are tricks."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from workers.codec.tags import SRGB_PROFILE

PUBLIC: Final = b"93.184.215.14"
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfull"
URLS: Final = (
    b"http://example.com/a.jpg",
    b"https://example.com:443/a.jpg?x=1#y",
    b"http://user:secret@example.com/",
    b"http://127.0.0.1/",
    b"http://2130706433/",
    b"http://0x7f.1/",
    b"http://[::ffff:169.254.169.254]/latest/meta-data",
    b"http://[64:ff9b::a00:1]/",
    b"http://example.com\\@127.0.0.1/",
    b"http://example.com#@10.0.0.1/",
    b"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
    b"http://xn--nxasmq6b/",
    b"http://a.localhost/",
    b"http://example.com:8080/",
    b"file:///etc/passwd",
    b"gopher://example.com/",
    b"http://example.com/%0d%0aHost:%20internal",
    b"http://93.184.215.14/a.png",
)
LOOKUPS: Final = (PUBLIC, b"10.0.0.1", PUBLIC + b" 127.0.0.1", b"::1", b"2606:2800:21f::1", b"")
ANSWERS: Final = (
    ANSWER,
    b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end",
    b"SSH-2.0-OpenSSH_9.9\r\n",
)
MANIFESTS: Final = (
    b"\0custom_id,url,style\na,http://example.com/a.jpg,great-wave\n",
    b'\0custom_id;upload_id;metadata.sku\n"a""b";6f1e;\'=1+1\'\n"open;;\n',
    b"\0\xef\xbb\xbfcustom_id\turl\tstrength\na\thttp://e.com\t0.5\n\xff\t\t\n",
    b'\1{"custom_id":"a","url":"http://example.com/a.jpg","style":"great-wave"}\n\n[]\n',
    b'\1{"custom_id":"\\ud800","url":1e999}\n{"custom_id":"a\\u0000"}\n\xff\xfe\n',
)
MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")


def of(target: str, folders: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Names and contents; those of `folders` behind our own."""
    for content in OURS[target]():
        yield sha256(content).hexdigest()[:16], content
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            yield sha256(content).hexdigest()[:16], content


def addresses() -> Iterator[bytes]:
    """Every URL with a good host, every look-up and every answer with a good URL."""
    for url in URLS:
        yield b"\n".join((url, PUBLIC, ANSWER))
    for found in LOOKUPS:
        yield b"\n".join((URLS[0], found, ANSWER))
    for answer in ANSWERS:
        yield b"\n".join((URLS[0], PUBLIC, answer))


def pictures() -> Iterator[bytes]:
    """Each mode in each format that has it; with a profile, EXIF, an animation; and cut short."""
    for mode in MODES:
        for format in ("JPEG", "PNG", "WEBP"):
            if (content := _file(mode, format)) is not None:
                yield content
                yield content[: len(content) // 2]
    exif = Image.Exif()
    exif[0x0112] = 6
    for format in ("JPEG", "PNG", "WEBP"):
        yield _file("RGB", format, exif=exif, icc_profile=SRGB_PROFILE) or b""
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue")]
    for format in ("PNG", "WEBP", "GIF"):
        out = BytesIO()
        frames[0].save(out, format, save_all=True, append_images=frames[1:])
        yield out.getvalue()
    yield _file("RGB", "JPEG", progressive=True) or b""
    yield _file("RGB", "WEBP", lossless=True) or b""


def _file(mode: str, format: str, **options: Any) -> bytes | None:
    picture = Image.linear_gradient("L").resize((13, 11)).convert("L" if mode == "I;16" else mode)
    out = BytesIO()
    try:
        (picture.convert("I;16") if mode == "I;16" else picture).save(out, format, **options)
    except OSError:  # a mode that the format does not have
        return None
    return out.getvalue()


OURS: Final[dict[str, Callable[[], Iterable[bytes]]]] = {
    "pictures": pictures,
    "addresses": addresses,
    "manifests": lambda: MANIFESTS,
}
