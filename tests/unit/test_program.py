"""A program beside us: heard, ended when unwanted, buried with a sentence."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.errors import EngineBusy, OptimizerBroke, PrintRefused
from tests.chaos.waiting import until
from workers import program

PROGRAM = "tests.unit.stubborn_program"


def run(
    *arguments: str,
    module: str = PROGRAM,
    unwanted: Callable[[], bool] = lambda: False,
    seconds: float = 60,
) -> Any:
    """Its answer, and all that was heard of it."""
    heard: list[program.Facts] = []
    answer = program.run(
        module,
        arguments,
        heard=heard.append,
        unwanted=unwanted,
        seconds=seconds,
        refusal=PrintRefused,
        grace=0.5,
    )
    return answer, heard


def test_the_last_line_is_the_answer_and_all_are_heard() -> None:
    answer, heard = run("work")
    assert answer == {"event": "done", "deed": "work"}
    assert [one["event"] for one in heard] == ["started", "done"]


def test_no_secret_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL", "IMPASTO_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    _, heard = run("work")
    known = set(heard[0]["environment"])
    assert "PATH" in known
    assert not {name for name in known if name.startswith(("IMPASTO", "AWS", "DATABASE", "BROKER"))}


def test_a_refusal_is_its_own_last_sentence() -> None:
    with pytest.raises(PrintRefused, match=r"^it is flat$"):
        run("refuse")


@pytest.mark.parametrize(
    ("deed", "module"),
    [("die", PROGRAM), ("mute", PROGRAM), ("misuse", PROGRAM), ("work", "tests.unit.nothing")],
)
def test_an_end_without_an_answer_is_told_to_the_log_and_may_be_tried_again(
    deed: str, module: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OptimizerBroke) as raised:
        run(deed, module=module)
    assert raised.value.retryable
    assert "ended with" in caplog.text


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(PrintRefused, match="longer than 2 s"):
        run("hang", str(pid), seconds=2)
    assert not psutil.pid_exists(int(pid.read_text()))


@pytest.mark.parametrize("deed", ["hang", "deaf"])
def test_one_that_nobody_wants_any_more_is_ended(tmp_path: Path, deed: str) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(EngineBusy):
        run(deed, str(pid), unwanted=lambda: pid.exists() and pid.read_text() != "")
    assert not psutil.pid_exists(int(pid.read_text()))


def test_it_does_not_outlive_a_worker_that_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"from tests.unit.test_program import run\nrun('hang', {str(pid)!r})\n"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    until(lambda: pid.exists() and pid.read_text() != "", 30, "the program has started")
    parent.kill()
    parent.wait()
    until(lambda: not _runs(int(pid.read_text())), 20, "the program has ended, too")


def _runs(pid: int) -> bool:
    """Whether it is there and no mere entry that nobody has collected yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
