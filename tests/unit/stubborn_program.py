"""A program for those who want to see one refuse, die, hang and outlive its parent."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main(deed: str, *rest: str) -> None:
    if deed == "mute":
        sys.exit(0)
    say(event="started", environment=sorted(os.environ))
    if deed == "refuse":
        sys.stderr.write("something before\nimpasto: it is flat\n")
        sys.exit(2)
    if deed == "misuse":
        sys.exit(2)
    if deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed in ("hang", "deaf"):
        if deed == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(rest[0]).write_text(str(os.getpid()))
        time.sleep(120)
    say(event="done", deed=deed)


def say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*[word for word in sys.argv[1:] if word != "--json"])
