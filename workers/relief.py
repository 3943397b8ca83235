"""What to do when the engine fails, and how much it has been seen to take; pure policy."""

from collections.abc import Callable, Mapping
from enum import Enum

from workers.asks import Shape
from workers.engines.faults import Fault


class Step(Enum):
    HALVE = "halve"  #: draw both halves
    RENEW = "renew"  #: open the engine's sessions anew and draw it again
    BLAME = "blame"  #: this very picture cannot be drawn here
    LEAVE = "leave"  #: this process cannot draw any more


class Caps:
    """
    Most pictures of one call, by shape: what memory has taught.

    Learned from failures only, so a cap never grows; who keeps caps lets them age. `learned` hears
    of every new one.
    """

    def __init__(
        self,
        known: Mapping[Shape, int] | None = None,
        learned: Callable[[Shape, int], None] = lambda shape, most: None,
    ) -> None:
        self._known = dict(known or {})
        self._learned = learned

    def most(self, shape: Shape) -> int | None:
        """How many pictures of that shape leave together, at least one; None: unknown."""
        return self._known.get(shape)

    def failed(self, shape: Shape, pictures: int) -> None:
        """So many did not fit: from now on half of them leave together."""
        half = max(1, pictures // 2)
        if pictures > 1 and half < self._known.get(shape, pictures):
            self._known[shape] = half
            self._learned(shape, half)


class Relief:
    """
    Decides after each failed call; told of those that went well, too.

    Batches are halved until one picture fails alone: of n pictures with one bad one, that takes at
    most 2 log2(n) + 1 further calls, or 2 n - 2 if all are bad. A picture that does not fit alone
    has the sessions opened anew, once until something is drawn again: a session may never recover
    from one failed allocation. If that did not help, a shape that was drawn here before says that
    the device is not what it was, and another that the picture is too large for it.
    """

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._drawn: set[Shape] = set()
        self._hopeless: set[Shape] = set()
        self._renewed = False

    def well(self, shape: Shape) -> None:
        """A call was answered."""
        self._drawn.add(shape)
        self._hopeless.discard(shape)
        self._renewed = False

    def after(self, fault: Fault, shape: Shape, pictures: int) -> Step:
        """What to do with a failed batch of so many pictures."""
        if fault is Fault.DEVICE:
            return Step.LEAVE
        if fault is Fault.MEMORY:
            self.caps.failed(shape, pictures)
        if pictures > 1:
            return Step.HALVE
        return self._alone(shape) if fault is Fault.MEMORY else Step.BLAME

    def _alone(self, shape: Shape) -> Step:
        if shape in self._hopeless:
            return Step.BLAME
        if not self._renewed:
            self._renewed = True
            return Step.RENEW
        if shape in self._drawn:
            return Step.LEAVE
        self._hopeless.add(shape)
        return Step.BLAME
