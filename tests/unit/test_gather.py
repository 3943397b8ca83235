"""What a folder, an archive and a manifest come to, hostile ones included."""

import json
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from app.cli import gather as gathering
from app.cli.gather import Elsewhere, Entry, Picture, Skipped, gather
from app.errors import BadRequest
from tests.unit.pictures import jpeg

PHOTO = jpeg()


def gathered(*sources: Path) -> list[Entry]:
    with ExitStack() as stack:
        return list(gather(list(sources), stack))


def names(entries: list[Entry]) -> list[str]:
    return [one.custom_id for one in entries if not isinstance(one, Skipped)]


def faults(entries: list[Entry]) -> dict[str, str]:
    return {one.place: one.reason for one in entries if isinstance(one, Skipped) and one.fault}


def test_a_folder_is_walked_to_the_bottom(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/Größe 40.jpg", "a/写真.png", ".hidden/c.jpg", "notes.txt", ".d.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PHOTO)
    entries = gathered(tmp_path)
    assert names(entries) == ["b.JPG", "a/Größe 40.jpg", "a/写真.png"]
    skipped = [one for one in entries if isinstance(one, Skipped)]
    assert {Path(one.place).name for one in skipped} == {"notes.txt", ".d.jpg"}
    assert not any(one.fault for one in skipped)


def test_names_are_composed_and_fit(tmp_path: Path) -> None:
    (tmp_path / "Gro\N{COMBINING DIAERESIS}\N{LATIN SMALL LETTER SHARP S}e.jpg").write_bytes(PHOTO)
    (tmp_path / "deep").mkdir()
    deep = tmp_path / "deep" / ("x" * 250 + ".jpg")
    deep.write_bytes(PHOTO)
    first, second = names(gathered(tmp_path))
    assert first == "Größe.jpg"
    assert (len(second), second[:4], second[-5:]) == (255, "...x", "x.jpg")


def test_bytes_that_are_no_text_are_a_name_too(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.jpg").write_bytes(PHOTO)
    assert names(gathered(tmp_path)) == ["caf?.jpg"]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    def write(**members: bytes) -> Path:
        path = tmp_path / "photos.zip"
        with ZipFile(path, "w", ZIP_DEFLATED) as out:
            for name, content in members.items():
                out.writestr(name, content)
        return path

    return write


def test_an_archive_is_read_where_it_lies(archive: Callable[..., Path], tmp_path: Path) -> None:
    path = archive(**{"b/写真.jpg": PHOTO, "a.png": b"1", "__MACOSX/a.png": b"2", "x.txt": b"3"})
    before = sorted(tmp_path.rglob("*"))
    with ExitStack() as stack:
        entries = list(gather([path], stack))
        assert names(entries) == ["a.png", "b/写真.jpg"]
        pictures = [one for one in entries if isinstance(one, Picture)]
        assert [one.read() for one in pictures] == [b"1", PHOTO]
    assert faults(entries) == {}
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../outside.jpg", "leads out"),
        ("a/../../outside.jpg", "leads out"),
        ("..\\outside.jpg", "leads out"),
        ("/etc/passwd.jpg", "absolute"),
        ("\\\\server\\a.jpg", "absolute"),
        ("C:\\a.jpg", "absolute"),
    ],
)
def test_names_that_lead_out_are_refused(
    archive: Callable[..., Path], name: str, reason: str
) -> None:
    entries = gathered(archive(**{"good.jpg": PHOTO, name: PHOTO}))
    assert names(entries) == ["good.jpg"]
    [why] = faults(entries).values()
    assert reason in why


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with ZipFile(path, "w") as out:
        out.writestr(link, "/etc/passwd")
        out.writestr("good.jpg", PHOTO)
    entries = gathered(path)
    assert names(entries) == ["good.jpg"]
    assert list(faults(entries).values()) == ["a symbolic link"]


def test_a_bomb_is_not_unpacked(archive: Callable[..., Path]) -> None:
    entries = gathered(archive(**{"bomb.jpg": bytes(50 * 2**20), "good.jpg": PHOTO}))
    assert names(entries) == ["good.jpg"]
    assert "200 times" in faults(entries)["photos.zip:bomb.jpg"]


def test_a_header_that_lies_does_not_help_a_bomb(archive: Callable[..., Path]) -> None:
    path = archive(**{"bomb.jpg": bytes(10 * 2**20)})
    content = path.read_bytes()
    size, lie = (10 * 2**20).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, lie))
    with ExitStack() as stack:
        [picture] = gather([path], stack)
        assert isinstance(picture, Picture)
        with pytest.raises(BadRequest, match="unpacked"):
            picture.read()


@pytest.mark.parametrize(
    ("limit", "words"), [("MAX_ENTRIES", "2 files"), ("MAX_ARCHIVE_BYTES", "GiB")]
)
def test_an_archive_of_too_much_is_refused(
    archive: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    words: str,
) -> None:
    path = archive(**{"a.jpg": PHOTO, "b.jpg": PHOTO})
    monkeypatch.setattr(gathering, limit, 1)
    with pytest.raises(BadRequest, match=words):
        gathered(path)


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(BadRequest, match="cannot be opened"):
        gathered(path)


def test_a_manifest_names_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "é.jpg").write_bytes(PHOTO)
    manifest = tmp_path / "products.csv"
    rows = [
        "custom_id,file,url,strength,metadata.page",
        "1,pictures/é.jpg,,0.5,3",
        "2,,http://a.example/2.jpg,,",
        "3,pictures/none.jpg,,,",
        "4,products.csv,,,",
        ",pictures/é.jpg,,,",
    ]
    manifest.write_text("\ufeff" + "\r\n".join(rows), newline="")
    entries = gathered(manifest)
    first, second = entries[:2]
    assert isinstance(first, Picture)
    assert first.read() == PHOTO
    assert first.fields == {"strength": 0.5, "metadata": {"page": "3"}}
    assert isinstance(second, Elsewhere)
    assert second.fields == {"input": {"url": "http://a.example/2.jpg"}}
    assert list(faults(entries)) == ["products.csv:4", "products.csv:5", "products.csv:6"]


def test_jsonl_does_too(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    manifest = tmp_path / "products.jsonl"
    variants = [{"custom_id": "x", "strength": 0.1}]
    lines = [
        {"custom_id": "1", "file": "a.jpg", "variants": variants},
        {"custom_id": "2", "input": {"url": "http://a.example/2.jpg"}},
    ]
    manifest.write_text("\n".join(map(json.dumps, lines)) + "\n[]\nnothing\n")
    entries = gathered(manifest)
    assert names(entries) == ["1", "2"]
    assert isinstance(entries[0], Picture)
    assert entries[0].fields == {"variants": variants}
    assert list(faults(entries)) == ["products.jsonl:3", "products.jsonl:4"]
