"""One decoder process, seen from the parent: started, asked, buried, started again."""

import os
import subprocess
import sys
from dataclasses import dataclass
from signal import SIGXCPU, Signals
from socket import AF_UNIX, SOCK_SEQPACKET, socket, socketpair
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.errors import (
    DecoderCrashed,
    ImageTooLarge,
    ImpastoError,
    InvalidImage,
    ServiceUnavailable,
)
from app.settings import LimitSettings
from workers.codec import cpu
from workers.codec.wire import MESSAGE, REPLY, REQUEST, Answer

Pixels: TypeAlias = NDArray[np.uint8]  #: [H, W, 3], sRGB
Alpha: TypeAlias = NDArray[np.uint8]  #: [H, W], 255 is opaque

#: glibc's own habit of handing every plane back costs 1.1 of 2.6 ms of a 512-pixel JPEG. Planes
#: above 12 MiB, the blocks of large pictures, still go back at once.
ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(12 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**26),
}
START_SECONDS: Final = 30.0
LENIENCE: Final = 4  #: wall seconds per CPU second; ends a child that hangs, not one that works
KEPT_BYTES: Final = 2**25  #: of a scratch file, between pictures


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A content picture, ready for an engine; where it was transparent it lies over white."""

    pixels: Pixels
    alpha: Alpha | None


class Died(Exception):
    """The child ended, or had to be ended, without an answer; `outran` if it took too long."""

    def __init__(self, text: str, *, outran: bool = False) -> None:
        super().__init__(text)
        self.outran = outran


class Child:
    """
    A decoder process and the file in memory that it shares with us.

    Started by exec, never forked: the parent may hold an engine, and those do not survive it.
    The child gets none of our environment, where the secrets are. Not locked: a pool lends each
    child to one thread at a time.
    """

    def __init__(self, module: str, limits: LimitSettings) -> None:
        self._module = module
        self._limits = limits
        self._scratch = os.memfd_create("pictures")
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._line: socket

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        self._line, far = socketpair(AF_UNIX, SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, by our own interpreter
                self._command(far.fileno()),
                env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), **ALLOCATOR},
                pass_fds=(far.fileno(), self._scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which drains first
            )
        except OSError as error:
            self._line.close()
            raise ServiceUnavailable(f"no picture decoder can be started: {error}") from error
        finally:
            far.close()

    def wait_until_ready(self) -> None:
        try:
            self._hear(START_SECONDS)
        except Died as error:
            raise ServiceUnavailable(f"no picture decoder can be started: {error}") from error

    def decode(self, content: bytes, longest: int) -> Decoded:
        """Raises `Died`, and what the child says of the picture."""
        if self._closed:
            raise RuntimeError("the decode pool is closed")
        if self._process is None:
            self.start()
            self.wait_until_ready()
        _write(self._scratch, content)
        before = self._computed()
        self._tell(REQUEST.pack(len(content), longest))
        reply = self._hear(self._limits.decode_seconds * LENIENCE)
        cpu.add(self._computed() - before)
        answer, width, height, planes = REPLY.unpack_from(reply)
        if answer != Answer.PIXELS:
            raise refused(answer, reply, self._limits)
        decoded = self._decoded(width, height, planes)
        if max(len(content), decoded.pixels.size) > KEPT_BYTES:
            os.ftruncate(self._scratch, 0)
        return decoded

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._end()
            os.close(self._scratch)

    def _computed(self) -> float:
        """CPU seconds of the process so far; asking costs a microsecond."""
        return 0.0 if self._process is None else cpu.of_process(self._process.pid)

    def _command(self, line: int) -> list[str]:
        limits = self._limits
        amounts = (limits.decode_seconds, limits.decode_bytes, limits.content_pixels)
        numbers = (line, self._scratch, *amounts, limits.max_side, limits.min_side)
        # -S: what site-packages runs at start-up is not needed; the path says where things are.
        return [sys.executable, "-S", "-m", self._module, *map(str, numbers)]

    def _tell(self, message: bytes) -> None:
        try:
            self._line.send(message)
        except OSError as error:
            raise self._buried() from error

    def _hear(self, seconds: float) -> bytes:
        """One reply; whatever fails ends the child, or its answer would meet the next caller."""
        try:
            self._line.settimeout(seconds)
            reply = self._line.recv(MESSAGE)
        except TimeoutError as error:
            self._end()
            raise Died(f"its decoder gave no answer within {seconds:.0f} s", outran=True) from error
        except OSError as error:
            raise self._buried() from error
        except BaseException:
            self._end()
            raise
        if len(reply) < REPLY.size:
            raise self._buried()
        return reply

    def _decoded(self, width: int, height: int, planes: int) -> Decoded:
        """Believe nothing: who answers has just read a stranger's file."""
        area = width * height
        if not 0 < area <= self._limits.content_pixels or planes not in (3, 4):
            self._end()
            raise Died("its decoder answered nonsense")
        pixels = np.empty((height, width, 3), np.uint8)
        alpha = np.empty((height, width), np.uint8) if planes == 4 else None
        self._read(pixels, 0)
        if alpha is not None:
            self._read(alpha, pixels.size)
        return Decoded(pixels, alpha)

    def _read(self, plane: NDArray[np.uint8], offset: int) -> None:
        if os.preadv(self._scratch, [plane.data.cast("B")], offset) != plane.size:
            self._end()
            raise Died("its decoder answered with too few pixels")

    def _buried(self) -> Died:
        code = self._end()
        if code == -SIGXCPU:
            seconds = self._limits.decode_seconds
            return Died(f"its decoder computed for more than {seconds} s", outran=True)
        if code < 0:
            return Died(f"its decoder was ended by {Signals(-code).name}")
        return Died(f"its decoder ended itself with {code}")

    def _end(self) -> int:
        """Kill what may still run, and say how it ended: a death of its own keeps its cause."""
        process, self._process = self._process, None
        if process is None:
            return 0
        self._line.close()
        process.kill()
        return process.wait()


def refused(answer: int, reply: bytes, limits: LimitSettings) -> ImpastoError:
    """What a child's answer means, when it is not pixels; `reply` ends with its words."""
    text = reply[REPLY.size :].decode(errors="replace")
    if answer == Answer.INVALID:
        return InvalidImage(text)
    if answer == Answer.TOO_LARGE:
        return ImageTooLarge(text)
    limit = limits.decode_bytes // 2**20
    return DecoderCrashed(f"it needs more than the {limit} MiB that its decoder may have")


def _write(scratch: int, block: bytes) -> None:
    view, offset = memoryview(block), 0
    while view:
        written = os.pwrite(scratch, view, offset)
        view, offset = view[written:], offset + written
