"""Another program of ours, run beside: heard while it works, ended when nobody wants its answer."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from signal import SIGTERM
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic
from typing import IO, Any, Final

from app.errors import EngineBusy, ImpastoError, OptimizerBroke
from app.stack import launch

log = logging.getLogger(__name__)

REFUSED: Final = 2  #: exit code of a program that says why it will not
OURS: Final = "impasto: "  #: begins that sentence; others with this code are nobody's business
LOOK: Final = 0.5  #: seconds between looks at whether anybody still wants it
GRACE: Final = 10.0  #: seconds between being asked to end and being killed
SAID: Final = 4_096  #: bytes of its last words

#: Secrets stay here: what runs beside reads pictures of strangers.
_ITS: Final = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "TORCH_HOME")
_ITS_PREFIXES: Final = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "PYTORCH_")

Facts = dict[str, Any]


def run(
    module: str,
    arguments: Sequence[str],
    *,
    heard: Callable[[Facts], None],
    unwanted: Callable[[], bool],
    seconds: float,
    refusal: type[ImpastoError],
    grace: float = GRACE,
) -> Facts:
    """
    `python -m module` to its end, one JSON object a line; the last one is the answer.

    Raises `refusal` with its own sentence where it refuses, or where it takes longer than `seconds`
    and would again; `EngineBusy` once it is `unwanted`; `OptimizerBroke` where it dies. It does not
    outlive us.
    """
    with TemporaryFile() as words, _started(module, arguments, words) as process:
        try:
            answer = _listen(process, heard, unwanted, monotonic() + seconds)
        except TimeoutError:
            raise refusal(f"It took longer than {seconds:.0f} s and was ended.") from None
        finally:
            _end(process, grace)
        if process.returncode == 0 and answer is not None:
            return answer
        raise _obituary(module, process.returncode, words, refusal)


def _started(module: str, arguments: Sequence[str], words: IO[bytes]) -> "subprocess.Popen[str]":
    parent, signal, nobody = str(os.getpid()), str(int(SIGTERM)), ""
    program = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(  # noqa: S603 - the argv is ours
        [sys.executable, launch.__file__, parent, signal, nobody, *program],
        env=environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=words,
        text=True,
        start_new_session=True,
    )


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a program beside us may know."""
    its = {
        name: value
        for name, value in ours.items()
        if name in _ITS or name.startswith(_ITS_PREFIXES)
    }
    # Threads that spin while they wait for each other lose four fifths of a busy machine.
    return {"OMP_WAIT_POLICY": "passive", **its}


def _listen(
    process: "subprocess.Popen[str]",
    heard: Callable[[Facts], None],
    unwanted: Callable[[], bool],
    deadline: float,
) -> Facts | None:
    lines: SimpleQueue[str | None] = SimpleQueue()
    reader = Thread(target=_read, args=(process, lines), name="program", daemon=True)
    reader.start()
    last: Facts | None = None
    while True:
        if unwanted():
            raise EngineBusy("Nobody waits for this any more, or somebody else does it by now.")
        if monotonic() > deadline:
            raise TimeoutError
        try:
            line = lines.get(timeout=LOOK)
        except Empty:
            continue
        if line is None:
            process.wait()
            return last
        last = json.loads(line)
        heard(last)


def _read(process: "subprocess.Popen[str]", lines: "SimpleQueue[str | None]") -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _end(process: "subprocess.Popen[str]", grace: float) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _obituary(
    module: str, code: int, words: IO[bytes], refusal: type[ImpastoError]
) -> ImpastoError:
    words.seek(0, os.SEEK_END)
    words.seek(max(0, words.tell() - SAID))
    said = words.read().decode(errors="replace").strip()
    sentence = said.rpartition("\n")[2]
    if code == REFUSED and sentence.startswith(OURS):
        return refusal(sentence.removeprefix(OURS))
    log.error("%s ended with %d: %s", module, code, said)
    return OptimizerBroke(f"What works on it ended with {code}; the worker's log says more.")
