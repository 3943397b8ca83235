"""Faults of what a system stands on."""

from tests.chaos import faults
from tests.chaos.stage import Stage

HOUR = 3600
#: Each a machine of its own, an hour ahead or behind; Postgres alone has the right time.
CLOCKS = {
    "api-0": HOUR,
    "api-1": -HOUR,
    "worker-0": HOUR,
    "worker-1": -HOUR,
    "io": HOUR,
    "io-1": -HOUR,
}


def skew_clocks(on: Stage) -> None:
    """12: every process is an hour off; leases still end when Postgres says, not sooner."""
    faults.kill_only_workers(on)
