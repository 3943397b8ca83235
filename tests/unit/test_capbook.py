"""What memory taught, from one process to the next."""

import json
from pathlib import Path

from workers.capbook import KEPT, CapBook, cap_book

SHAPE, TILES = (512, 384), (1024, 1024, 2)


def test_the_next_worker_knows_what_this_one_learned(tmp_path: Path) -> None:
    book = CapBook(tmp_path / "engines" / "caps.json")
    caps = book.open()
    caps.failed(SHAPE, 8)
    caps.failed(TILES, 3)
    again = CapBook(book.path).open()
    assert (again.most(SHAPE), again.most(TILES), again.most((512, 512))) == (4, 1, None)
    note = json.loads(book.path.read_text())["512x384"]
    assert (note["pictures"], note["pixels"]) == (4, 4 * 512 * 384)
    assert list(book.path.parent.iterdir()) == [book.path]


def test_a_lesson_is_forgotten_after_a_week(tmp_path: Path) -> None:
    now = 1e9
    book = CapBook(tmp_path / "caps.json", clock=lambda: now)
    book.open().failed(SHAPE, 8)
    now += KEPT - 1
    assert book.open().most(SHAPE) == 4
    now += 2
    assert book.open().most(SHAPE) is None


def test_a_file_that_is_no_book_teaches_nothing_and_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "caps.json"
    for content in ("", "[]", '{"512x384": 4}', '{"512x384": {"pictures": 4}}'):
        path.write_text(content)
        caps = CapBook(path).open()
        assert caps.most(SHAPE) is None
        caps.failed(SHAPE, 4)
        assert CapBook(path).open().most(SHAPE) == 2


def test_a_worker_that_may_not_write_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    caps = CapBook(tmp_path / "file" / "caps.json").open()
    caps.failed(SHAPE, 4)
    assert caps.most(SHAPE) == 2


def test_every_model_device_and_limit_has_a_book_of_its_own(tmp_path: Path) -> None:
    what = {"model": "a", "engine": "onnxruntime-cuda", "device": "GPU-1"}
    books = {
        cap_book(tmp_path, **what, limit=None).path,
        cap_book(tmp_path, **what, limit=2**30).path,
        cap_book(tmp_path, **what | {"model": "b"}, limit=None).path,
        cap_book(tmp_path, **what | {"device": "GPU-2"}, limit=None).path,
    }
    assert len(books) == 4
