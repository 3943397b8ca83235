"""Which pictures leave together, and in which order. No threads, no clock, no engine."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from workers.asks import Shape

Waiting = TypeVar("Waiting")
Kind: TypeAlias = tuple[Shape, int | None]  #: what may leave together; a number is one alone
Line: TypeAlias = deque[tuple[int, Waiting]]

OVERTAKINGS: Final = 4  #: urgent batches in a row while others wait


def _uncapped(shape: Shape) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Budget:
    """
    How much one engine call takes; one picture always fits.

    `cap` is asked each time: the most pictures of a shape, for whoever learns while it serves;
    None is no bound.
    """

    pictures: int
    pixels: int
    cap: Callable[[Shape], int | None] = _uncapped

    def room(self, shape: Shape) -> int:
        """How many pictures of that shape leave together."""
        height, width, *_ = shape
        most = min(self.pictures, self.pixels // (height * width))
        capped = self.cap(shape)
        return max(1, most if capped is None else min(most, capped))


class _Lane(Generic[Waiting]):
    """Pictures of one urgency, in a line for each kind."""

    def __init__(self, sticky: int) -> None:
        self.lines: dict[Kind, Line[Waiting]] = {}
        self._sticky = sticky
        self._last: Kind | None = None
        self._overtakings = 0

    def kind(self) -> Kind:
        """
        What leaves next: what left last, for a while, since engines stumble when shapes change.

        Else the kind whose oldest picture has waited longest.
        """
        oldest = min(self.lines, key=lambda kind: self.lines[kind][0][0])
        last = self._last if self._last in self.lines else None
        if last not in (None, oldest) and self._overtakings < self._sticky - 1:
            self._overtakings += 1
            return last or oldest
        self._overtakings, self._last = 0, oldest
        return oldest


class Batches(Generic[Waiting]):
    """
    A place in the queue says who has waited longest.

    A batch has one shape and keeps its `Budget`. Nothing is held back to wait for company: batches
    form by themselves while the engine is busy. Urgent pictures leave first and alone, since
    company would slow them down; after four such batches the others get their turn.

    Among equals, a shape stays for up to `sticky` batches in a row while others have waited longer.
    So a picture leaves after at most `sticky` batches of its urgency for each that stood before it,
    and as many for itself.
    """

    def __init__(self, budget: Budget, *, sticky: int = 1) -> None:
        self._budget = budget
        self._urgent = _Lane[Waiting](sticky)
        self._patient = _Lane[Waiting](sticky)
        self._arrived = 0
        self._length = 0
        self._overtakings = 0

    def __len__(self) -> int:
        return self._length

    def add(
        self, waiting: Waiting, *, shape: Shape, urgent: bool = False, alone: bool = False
    ) -> None:
        """Queue a picture; one that wants to be `alone` leaves in a batch of its own."""
        lines = (self._urgent if urgent else self._patient).lines
        kind = shape, self._arrived if alone else None
        lines.setdefault(kind, deque()).append((self._arrived, waiting))
        self._arrived += 1
        self._length += 1

    def pop(self) -> list[Waiting]:
        """The next batch, oldest first; empty only if nothing waits."""
        lane = self._next_lane()
        if not lane.lines:
            return []
        kind = lane.kind()
        line = lane.lines[kind]
        batch = [line.popleft()[1] for _ in range(min(len(line), self.room(kind[0])))]
        if not line:
            del lane.lines[kind]
        self._length -= len(batch)
        return batch

    def room(self, shape: Shape) -> int:
        """How many pictures of that shape leave together."""
        return self._budget.room(shape)

    def _next_lane(self) -> _Lane[Waiting]:
        turn_of_the_patient = self._patient.lines and self._overtakings >= OVERTAKINGS
        if self._urgent.lines and not turn_of_the_patient:
            self._overtakings += bool(self._patient.lines)
            return self._urgent
        self._overtakings = 0
        return self._patient
