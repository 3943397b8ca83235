"""The supervisor with real children: small Python programs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.errors import Misconfigured
from app.stack.children import Child
from app.stack.supervisor import Supervisor

ASK_TO_STOP = "import os, signal; os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
FOR_EVER = "import signal; signal.pause()"


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)


def python(code: str, directory: Path, **more: Any) -> Child:
    values: dict[str, Any] = {"name": "child", "log": directory / "child.log"} | more
    return Child(argv=[sys.executable, "-c", code], **values)


def test_a_child_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    child = python("raise SystemExit('no model')", tmp_path, ready=lambda: False)
    with Supervisor(print) as supervisor, pytest.raises(Misconfigured, match="no model"):
        supervisor.start(child)


def test_a_child_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    child = python(FOR_EVER, tmp_path, ready=lambda: False, ready_seconds=0.2)
    with Supervisor(print) as supervisor, pytest.raises(Misconfigured, match="not ready after"):
        supervisor.start(child)


def test_a_crashed_child_is_started_again_and_said_so(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    crash_once = f"""
import os, pathlib
mark = pathlib.Path({str(mark)!r})
if not mark.exists():
    mark.touch()
    os._exit(3)
{ASK_TO_STOP}"""
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        supervisor.start(python(crash_once, tmp_path, name="worker"))
        supervisor.watch()
    assert said[0].startswith("worker ended with 3")
    assert said[1:] == ["worker starts again in 1 s", "Stopping; once more kills."]


def test_children_end_in_reverse_and_may_finish_their_work(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    slow_end = f"""
import signal, threading
def end(*_):
    threading.Event().wait(0.2)
    open({str(ends)!r}, "a").write("NAME ")
    raise SystemExit
signal.signal(signal.SIGTERM, end)
open({str(tmp_path)!r} + "/NAME", "w").close()
signal.pause()"""
    with Supervisor(print) as supervisor:
        for name in ("first", "second"):
            code = slow_end.replace("NAME", name)
            supervisor.start(python(code, tmp_path, name=name, ready=(tmp_path / name).exists))
    assert ends.read_text() == "second first "


def test_a_child_that_ignores_the_request_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    stubborn = f"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open({str(pids)!r} + ".new", "w").write(f"{{os.getpid()}} {{grandchild.pid}}")
os.rename({str(pids)!r} + ".new", {str(pids)!r})
signal.pause()"""
    with Supervisor(print) as supervisor:
        supervisor.start(python(stubborn, tmp_path, grace=0.2, ready=pids.exists))
    until(lambda: not any(map(runs, map(int, pids.read_text().split()))))


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = f"""
import os, sys
from pathlib import Path
from app.stack.children import Child
from app.stack.supervisor import Supervisor
code = "import os, signal; open({str(pid_file)!r}, 'w').write(str(os.getpid())); signal.pause()"
with Supervisor(print) as supervisor:
    supervisor.start(Child(name="c", argv=[sys.executable, "-c", code], log=Path(os.devnull)))
    supervisor.watch()
"""
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": "."}
    )
    until(lambda: pid_file.exists() and pid_file.read_text())
    child = int(pid_file.read_text())
    assert runs(child)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    until(lambda: not runs(child))


def test_a_request_to_stop_while_starting_is_heard(tmp_path: Path) -> None:
    child = python(ASK_TO_STOP, tmp_path, ready=lambda: False)
    with Supervisor(print) as supervisor, pytest.raises(KeyboardInterrupt):
        supervisor.start(child)


def test_the_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    stubborn = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
os.kill(os.getppid(), signal.SIGINT)
while True: signal.pause()"""
    said: list[str] = []
    began = time.monotonic()
    with Supervisor(said.append) as supervisor:
        supervisor.start(python(stubborn, tmp_path, grace=60.0))
        supervisor.watch()
    assert said == ["Stopping; once more kills.", "Killing what is left."]
    assert time.monotonic() - began < 30.0


def test_signals_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Supervisor(print):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
