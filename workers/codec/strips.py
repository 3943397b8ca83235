"""Large pictures between their files and scratch on disk, each in a limited process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from signal import SIGKILL, SIGXCPU, Signals
from tempfile import TemporaryFile
from threading import Event, Timer
from typing import Final, Self, TypeAlias

from app.domain.parameters import Output, OutputFormat
from app.errors import (
    DecoderCrashed,
    ImageTooLarge,
    ServiceUnavailable,
    StorageUnavailable,
)
from app.images import inspect
from app.settings import LimitSettings
from workers.codec import cpu
from workers.codec.child import LENIENCE, Decoded, Died, refused
from workers.codec.decoder import fitted
from workers.codec.raster import Raster, scratch, write_at
from workers.codec.tags import SRGB_CHUNK_PNG
from workers.codec.wire import MESSAGE, REPLY, Answer

Decode: TypeAlias = Callable[[bytes, int | None], Decoded]

PRESS: Final = "workers.codec.press"
SHARE: Final = 2**24  #: pixels for which a picture gets the seconds of a small one
PNG_HEADER: Final = 33  #: bytes: the signature and IHDR


@dataclass(frozen=True)
class Sheet:
    """A picture on disk: `pixels` of three bands, and `alpha` of one where it has any."""

    pixels: Raster
    alpha: Raster | None
    closing: ExitStack

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        return self.pixels.width, self.pixels.height

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the disk back."""
        self.closing.close()

    def whole(self) -> Decoded:
        """All of it in memory, for those who asked for little of much."""
        alpha = None if self.alpha is None else self.alpha.whole()[:, :, 0]
        return Decoded(self.pixels.whole(), alpha)


#: Pillow holds a whole picture, four bytes a pixel and some of it twice.
IN_MEMORY: Final = 50_000_000


def in_memory(limits: LimitSettings) -> LimitSettings:
    """What a `DecodePool` may take on; the rest is for `Strips`."""
    return limits.model_copy(update={"content_pixels": min(limits.content_pixels, IN_MEMORY)})


class Strips:
    """Reads and writes pictures of any size by the strip; any thread may call."""

    def __init__(self, limits: LimitSettings, directory: Path | None) -> None:
        self._limits = limits
        self._directory = directory

    def decode(self, content: bytes, size: int | None) -> Sheet:
        """
        A picture upright and in sRGB; `size` bounds its longest side in pixels.

        Raises `InvalidImage`, `ImageTooLarge`, `DecoderCrashed`, and `StorageUnavailable` when
        there is no room for it.
        """
        header = inspect(content, self._limits)
        width, height = fitted((header.width, header.height), size or 0)
        with ExitStack() as stack:
            file = stack.enter_context(scratch(self._directory, 4 * width * height))
            with scratch(self._directory, len(content)) as source:
                write_at(source, memoryview(content), 0)
                reply = self._ask("decode", (source, file), size or 0)
            answer, *stored, planes = REPLY.unpack_from(reply)
            if answer != Answer.PIXELS:
                raise refused(answer, reply, self._limits)
            turn = reply[REPLY.size]
            # Believe nothing: who answers has just read a stranger's file.
            if sorted(stored) != sorted((width, height)) or planes not in (3, 4) or turn > 8:
                raise DecoderCrashed("its decoder answered nonsense")
            return _sheet(file, (stored[0], stored[1]), planes, turn, stack.pop_all())

    def reducing(self, decode: Decode) -> Decode:
        """`decode`, and for what is too large for it another way to a small picture of it."""

        def either(content: bytes, size: int | None) -> Decoded:
            try:
                return decode(content, size)
            except ImageTooLarge:
                with self.decode(content, size) as sheet:
                    return sheet.whole()

        return either

    def blank(self, width: int, height: int, *, alpha: bool) -> Sheet:
        """Room for a picture that is to be drawn."""
        planes = 4 if alpha else 3
        with ExitStack() as stack:
            file = stack.enter_context(scratch(self._directory, planes * width * height))
            return _sheet(file, (width, height), planes, 1, stack.pop_all())

    def encode(self, sheet: Sheet, output: Output) -> bytes:
        """The file of a sheet that `blank` gave; JPEG knows no alpha and must not get one."""
        width, height = sheet.size
        planes = 3 if sheet.alpha is None else 4
        with TemporaryFile(dir=self._directory) as out:
            files = sheet.pixels.file, out.fileno()
            asked = output.format.value, output.quality, width, height, planes
            reply = self._ask("encode", files, *asked)
            if reply[0] != Answer.PIXELS:
                said = reply[REPLY.size :].decode(errors="replace")
                raise StorageUnavailable(f"The finished picture could not be written: {said}")
            written = os.pread(out.fileno(), os.fstat(out.fileno()).st_size, 0)
        if output.format is OutputFormat.PNG:
            return written[:PNG_HEADER] + SRGB_CHUNK_PNG + written[PNG_HEADER:]
        return written

    def _ask(self, task: str, files: tuple[int, int], *asked: object) -> bytes:
        """The answer of a process of its own. The first death may be somebody else's doing."""
        try:
            return self._run(task, files, asked)
        except Died as death:
            if death.outran:
                raise DecoderCrashed(str(death)) from death
        try:
            return self._run(task, files, asked)
        except Died as death:
            raise DecoderCrashed(str(death)) from death

    def _run(self, task: str, files: tuple[int, int], asked: tuple[object, ...]) -> bytes:
        # -S and an environment of our own for the reasons that `Child` has.
        command = [sys.executable, "-S", "-m", PRESS, task, *self._bounds(), *files, *asked]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own program, by our own interpreter
                [str(word) for word in command],
                env={
                    "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
                    "VIPS_CONCURRENCY": "1",
                },
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which drains first
            )
        except OSError as error:
            raise ServiceUnavailable(f"no picture decoder can be started: {error}") from error
        with process:
            reply = _heard(process, self._seconds() * LENIENCE)
        if process.returncode or len(reply) < REPLY.size:
            raise _death(process.returncode)
        return reply

    def _bounds(self) -> tuple[int, ...]:
        limits = self._limits
        amounts = limits.decode_seconds, limits.decode_bytes, limits.content_pixels
        return *amounts, limits.max_side, limits.min_side

    def _seconds(self) -> int:
        """CPU seconds of the largest picture there may be."""
        return self._limits.decode_seconds * ceil(self._limits.content_pixels / SHARE)


def _heard(process: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """What it says until it ends, and its CPU time for whoever measures."""
    late = Event()

    def end() -> None:
        late.set()
        os.kill(process.pid, SIGKILL)  # Popen's own would reap it, if it has just ended

    timer = Timer(seconds, end)
    timer.start()
    try:
        reply = process.stdout.read(MESSAGE) if process.stdout else b""
    finally:
        timer.cancel()
        timer.join()
        os.kill(process.pid, SIGKILL)
        # Popen would wait without asking what was used.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu.add(usage.ru_utime + usage.ru_stime)
    if late.is_set():
        raise Died("its decoder gave no answer in time", outran=True)
    return reply


def _death(code: int) -> Died:
    if code == -SIGXCPU:
        return Died("its decoder computed for too long", outran=True)
    if code < 0:
        return Died(f"its decoder was ended by {Signals(-code).name}")
    return Died(f"its decoder ended itself with {code}")


def _sheet(file: int, stored: tuple[int, int], planes: int, turn: int, closing: ExitStack) -> Sheet:
    """The planes in a scratch file: three bands, then one."""
    behind = 3 * stored[0] * stored[1]
    alpha = Raster(file, behind, stored, 1, turn) if planes == 4 else None
    return Sheet(Raster(file, 0, stored, 3, turn), alpha, closing)
