"""How far something is, for the person in front of it or for the program behind a pipe."""

import json
import sys
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


class Progress:
    """A bar and sentences on stderr; with `as_json` one JSON object a line on stdout instead."""

    def __init__(self, what: str, total: float, *, as_json: bool, unit: str = "seconds") -> None:
        self._what, self._total, self._as_json, self._unit = what, total, as_json, unit
        self._bar: Any = None  # begins with the first step: a refusal needs none

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def say(self, event: str, sentence: str, **facts: Any) -> None:
        """Something happened once."""
        if self._as_json:
            print(json.dumps({"event": event, **facts}), flush=True)
        else:
            tqdm.write(sentence, file=sys.stderr)

    def at(self, done: float, **numbers: float) -> None:
        """So far, in the unit; now and then with how good it is."""
        shown = {name: round(number, 3) for name, number in numbers.items()}
        if self._as_json:
            if shown:
                self.say("progress", "", **{self._unit: round(done, 3)}, **shown)
            return
        if self._bar is None:
            layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
            self._bar = tqdm(total=self._total, desc=self._what, bar_format=layout)
        if shown:
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update(max(0.0, min(done, self._bar.total) - self._bar.n))
