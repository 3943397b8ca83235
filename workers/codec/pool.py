"""Decodes in limited child processes: a picture that breaks its decoder breaks nothing else."""

from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from app.errors import DecoderCrashed, Misconfigured, ServiceUnavailable
from app.settings import LimitSettings
from workers.codec.child import Child, Decoded, Died

DECODER: Final = "workers.codec.decoder"


class DecodePool:
    """
    A fixed number of decoder children; a context manager whose `decode` any thread may call.

    `module` names another program for the children, for those who want to see decoders die.
    """

    def __init__(self, processes: int, limits: LimitSettings, *, module: str = DECODER) -> None:
        self._children = [Child(module, limits) for _ in range(processes)]
        self._idle: SimpleQueue[Child] = SimpleQueue()

    def __enter__(self) -> Self:
        try:
            for child in self._children:
                child.start()
            for child in self._children:
                child.wait_until_ready()
        except ServiceUnavailable as error:
            for child in self._children:
                child.close()
            raise Misconfigured(str(error)) from error
        for child in self._children:
            self._idle.put(child)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let running pictures finish, then end the children; later calls raise `RuntimeError`."""
        resting = [self._idle.get() for _ in self._children]
        for child in resting:
            child.close()
            self._idle.put(child)  # wakes whoever still waits for one

    @property
    def pids(self) -> list[int]:
        """The processes that are up, for those who account for memory or kill to see."""
        return [child.pid for child in self._children if child.pid is not None]

    def decode(self, content: bytes, size: int | None = None) -> Decoded:
        """
        Decode one picture, upright and in sRGB; `size` bounds its longest side in pixels.

        Blocks while all children are busy. Raises `InvalidImage` or `ImageTooLarge`,
        `DecoderCrashed` when the picture killed two children or used up its time or memory,
        and `ServiceUnavailable` when no child can be started for now.
        """
        child = self._idle.get()
        try:
            return _decode(child, content, size or 0)
        finally:
            self._idle.put(child)


def _decode(child: Child, content: bytes, longest: int) -> Decoded:
    try:
        return child.decode(content, longest)
    except Died as death:
        if death.outran:
            raise DecoderCrashed(str(death)) from death
    try:
        # The first death may be somebody else's doing: a kernel short of memory, an operator.
        return child.decode(content, longest)
    except Died as death:
        raise DecoderCrashed(str(death)) from death
