"""`impasto submit` against a real server: whatever it is given, whatever interrupts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import func, select

from app.cli.submit import place_of
from app.db.models import Campaign, Job, Upload
from app.domain.job import Lane
from tests.integration.conftest import Api, serving, work
from tests.unit.pictures import jpeg

IMPASTO = [sys.executable, "-c", "from app.cli import main; main()"]
DEADLINE = 120.0


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with serving(api) as url:
        api.desk.settings.__dict__["public_url"] = url  # uploads come back to this server
        yield url


@pytest.fixture
def start(api: Api, url: str, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """The command as somebody types it, in a process of its own."""
    environment = {
        **os.environ,
        "IMPASTO_URL": url,
        "IMPASTO_API_KEY": api.key,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*IMPASTO, "submit", *map(str, arguments), "--style", "plain"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
        )

    return start


Start = Callable[..., subprocess.Popen[str]]


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out, err


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def count(api: Api, table: type[Campaign | Upload | Job]) -> int:
    with api.desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def photographs(folder: Path, amount: int) -> Path:
    folder.mkdir()
    for number in range(amount):
        (folder / f"{number:03d}.jpg").write_bytes(jpeg((40 + number, 50)))
    return folder


def test_a_folder_becomes_finished_pictures(api: Api, start: Start, tmp_path: Path) -> None:
    folder = photographs(tmp_path / "Größen", 3)
    (folder / "写真").mkdir()
    (folder / "写真" / "same.jpg").write_bytes((folder / "000.jpg").read_bytes())
    (folder / "notes.txt").write_text("not a picture")
    out = tmp_path / "out"
    process = start(folder, "--out", out, "--strength", "0.5")
    until(lambda: count(api, Job) == 4)
    work(api, amount=4, lane=Lane.CAMPAIGN)
    code, shown, said = ended(process)
    assert code == 0, said
    assert "notes.txt" in said
    assert "Größen" in shown
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert made == ["000.png", "001.png", "002.png", "写真/same.png"]
    assert count(api, Upload) == 3  # equal pictures are uploaded once
    with api.desk.sessions() as session:
        campaign = session.scalars(select(Campaign)).one()
    assert (campaign.name, campaign.parameters["strength"]) == ("Größen", 0.5)


def test_archives_manifests_and_pictures_make_one_campaign(
    api: Api, start: Start, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "spring.zip", "w") as out:
        out.writestr("a/写真.jpg", jpeg())
        out.writestr("../../evil.jpg", jpeg())
    (tmp_path / "one.jpg").write_bytes(jpeg((70, 60)))
    manifest = tmp_path / "products.csv"
    manifest.write_text("custom_id,file,url,strength\nsku 1,one.jpg,,0.25\nsku 2,,ftp://x/,\n")
    process = start("spring.zip", "products.csv", "one.jpg", "--no-wait", "--json")
    code, shown, said = ended(process)
    assert code == 1, said  # something was left out, and somebody should know
    told = json.loads(shown)
    assert told["counts"]["total"] == 3
    assert [one["reason"] for one in told["skipped"]] == ["its name leads out of the archive"]
    assert [(one["custom_id"], one["code"]) for one in told["refused"]] == [
        ("sku 2", "source-forbidden")
    ]
    with api.desk.sessions() as session:
        rows = session.scalars(select(Job).order_by(Job.id)).all()
    assert [row.custom_id for row in rows] == ["a/写真.jpg", "sku 1", "one.jpg"]
    assert [row.parameters["strength"] for row in rows] == [1.0, 0.25, 1.0]
    assert not list(tmp_path.parent.rglob("evil*"))


def test_killed_while_it_uploads_it_uploads_only_what_is_missing(
    api: Api, start: Start, tmp_path: Path
) -> None:
    folder = photographs(tmp_path / "photos", 120)
    process = start(folder, "--no-wait")
    until(lambda: count(api, Upload) >= 30)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = count(api, Upload)
    assert before < 120, "it was too fast for this test"
    assert count(api, Campaign) == 0
    code, _, said = ended(start(folder, "--no-wait"))
    assert code == 0, said
    assert count(api, Job) == 120
    # Announced again: at most those whose answers the first process did not live to write down.
    assert 120 <= count(api, Upload) <= 120 + 8
    assert count(api, Campaign) == 1


@pytest.mark.parametrize("lost", [False, True], ids=["it heard", "it did not hear"])
def test_killed_behind_its_request_it_makes_no_second_campaign(
    api: Api, start: Start, tmp_path: Path, lost: bool
) -> None:
    """Also where the answer to the request was lost with the process."""
    folder = photographs(tmp_path / "photos", 3)
    process = start(folder)
    [journal] = _journals(tmp_path, lambda text: "campaign_id" in text)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if lost:
        lines = journal.read_text().splitlines()
        kept = [line for line in lines if "campaign_id" not in line]
        journal.write_text("\n".join(kept) + '\n{"campaign_')  # and torn
        (folder / "new.jpg").write_bytes(jpeg((90, 90)))  # too late for this one
    code, shown, said = ended(start(folder, "--no-wait", "--json"))
    assert code == 0, said
    assert count(api, Campaign) == 1
    assert json.loads(shown)["counts"]["total"] == 3
    # It is over: the same command is a new submission now.
    code, shown, said = ended(start(folder, "--no-wait", "--json"))
    assert json.loads(shown)["counts"]["total"] == (4 if lost else 3), said
    assert count(api, Campaign) == 2


def _journals(tmp_path: Path, ready: Callable[[str], bool]) -> list[Path]:
    """The journals of submissions, once one of them says that."""

    def found() -> list[Path]:
        paths = (tmp_path / "state").rglob("*.jsonl")
        return [p for p in paths if "manifest" not in p.name and ready(p.read_text())]

    until(found)
    return found()


def test_a_day_later_the_campaign_is_known_by_its_mark(
    api: Api, start: Start, tmp_path: Path
) -> None:
    folder = photographs(tmp_path / "photos", 2)
    process = start(folder)
    [journal] = _journals(tmp_path, lambda text: "campaign_id" in text)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    steps = [json.loads(line) for line in journal.read_text().splitlines()]
    kept = [step | ({"sealed": 1.0} if "sealed" in step else {}) for step in steps[:-1]]
    journal.write_text("".join(json.dumps(step) + "\n" for step in kept))
    code, _, said = ended(start(folder, "--no-wait", "--json"))
    assert code == 0, said
    assert count(api, Campaign) == 1


def test_the_same_submission_is_not_made_by_two_at_once(
    api: Api, start: Start, tmp_path: Path
) -> None:
    folder = photographs(tmp_path / "photos", 1)
    first = start(folder)
    _journals(tmp_path, lambda text: "campaign_id" in text)
    code, _, said = ended(start(folder))
    assert code == 1
    assert "under way" in said
    first.kill()
    first.communicate()


def test_a_refused_campaign_can_be_put_right(api: Api, start: Start, tmp_path: Path) -> None:
    folder = photographs(tmp_path / "photos", 2)
    (folder / "broken.jpg").write_bytes(b"no picture")
    refused = ended(start(folder, "--no-wait", "--mask", folder / "000.jpg", "--size", "10000000"))
    assert refused[0] == 1
    assert "size" in refused[2]
    assert "Traceback" not in refused[2]
    code, shown, said = ended(start(folder, "--no-wait", "--json", "--mask", folder / "000.jpg"))
    assert code == 1, said
    told = json.loads(shown)
    assert (told["counts"]["total"], len(told["skipped"])) == (2, 1)
    assert "invalid-image" in told["skipped"][0]["reason"]


def test_a_folder_of_nothing_is_a_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, said = ended(start("empty"))
    assert code == 1
    assert "holds no picture" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("custom_id", "place"),
    [
        ("a.jpg", "a.png"),
        ("shoes/a.JPG", "shoes/a.png"),
        ("../../etc/passwd", "etc/passwd.png"),
        ("/etc/passwd", "etc/passwd.png"),
        ("a\\..\\b.jpg", "a/b.png"),
        ("...", "....png"),
        ("..", "picture.png"),
        ("v1.2", "v1.2.png"),
        (".jpg", ".jpg.png"),
    ],
)
def test_no_name_leads_out_of_the_folder(custom_id: str, place: str) -> None:
    assert place_of(Path("out"), custom_id, "png") == Path("out", place)
