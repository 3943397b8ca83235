"""Faults of what a system stands on: clocks, the network, and others of its own kind."""

from functools import partial
from threading import Thread
from time import time

from tests.chaos import faults
from tests.chaos.network import Link
from tests.chaos.stage import Stage
from tests.chaos.waiting import until

HOUR = 3600
DETECTED = 60.0  #: seconds until a connection that is a black hole has been replaced
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


def lose_connections(on: Stage) -> None:
    """18: one process after another: all its connections become black holes."""
    names = [*on.rig.workers, *on.rig.ios, *(f"api-{n}" for n in range(len(on.rig.ports)))]
    for number in on.rounds_of_work():
        name = names[number % len(names)]
        links = [on.rig.link(name, server) for server in ("postgres", "redis")]
        start = time()
        for link in links:
            link.lose()
        until(partial(_all_live, links), 2 * DETECTED, f"{name} is connected again")
        on.noted.append(time() - start)
        on.faults += 1


def _all_live(links: list[Link]) -> bool:
    return all(link.live for link in links)


def crowd(on: Stage) -> None:
    """19: two sweepers, two tellers and two beats at once, while workers die under them."""
    faults.kill_only_workers(on)
    sweepers = [Thread(target=on.rig.keeper.kill, args=(name,)) for name in on.rig.ios]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()
    on.faults += len(sweepers)
    for name in on.rig.ios:
        on.rig.keeper.wait_ready(name)
