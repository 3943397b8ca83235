"""The faults themselves: what is broken, when, and how often. Each works on a running rig."""

import os
from pathlib import Path
from signal import SIGCONT, SIGQUIT, SIGSTOP
from time import time

from redis import Redis

from app.domain.job import MAX_SOLO_CRASHES
from app.settings import WorkerSettings
from tests.chaos.copier import Copier
from tests.chaos.network import Hold, LateReply, LostReply
from tests.chaos.rig import Rig
from tests.chaos.stage import FLOWING, RECOVERY, Stage
from tests.chaos.waiting import until

LOST_BY_A_POWER_CUT = 65_536  #: bytes of a log that was not yet forced to disk
GRACE = 45.0  #: seconds a process may take to end when asked to: running groups finish first

#: What only the transactions of accepting, claiming, finishing, sweeping and telling say.
COMMITS = {
    "accept": b"COPY ledger",
    "claim": b"waiting_tenant",
    "finish": b"INSERT INTO inferences",
    "sweep": b"lease expired",
    "tell": b"response_status",
}
FIRST_OF_FINISH = b"INSERT INTO assets"
LATER_IN_CLAIM = b"suspended_at, withdrawn_at"  #: a claim asks it once its jobs are locked
ONE_TICKET = {"IMPASTO_WORKER__TICKETS": "1"}  #: one claim at a time: nothing else is under way


def nothing(on: Stage) -> None:
    """No fault at all: what the others are compared with."""
    for _ in on.rounds_of_work():
        on.faults = 0


def kill_only_workers(on: Stage) -> None:
    """1, as far as plain Celery has parts to kill."""
    for _ in on.rounds_of_work():
        _kill_a_busy_worker(on)
        for name in on.rig.workers:
            on.rig.keeper.wait_ready(name)


def kill_workers(on: Stage) -> None:
    """1: `kill -9` of a worker that holds jobs, at a random moment, or of the io worker."""
    for number in on.rounds_of_work():
        if number % 8 == 7:
            on.rig.keeper.kill("io")
            on.faults += 1
        else:
            _kill_a_busy_worker(on)
        for name in (*on.rig.workers, "io"):  # one at a time is down
            on.rig.keeper.wait_ready(name)
    _note_the_end(on)


def kill_one_worker(on: Stage) -> None:
    """1, apart: after each kill nobody disturbs until every job that was hit has ended."""
    for _ in on.rounds_of_work():
        _kill_a_busy_worker(on)
        for name in on.rig.workers:
            on.rig.keeper.wait_ready(name)
        _note_the_end(on)


def kill_one_worker_of_copies(on: Stage) -> None:
    """The same where most pictures are drawn for many, so that many wait for one dead worker."""
    kill_one_worker(on)
    assert on.rig.scalar("SELECT count(*) FROM jobs WHERE rendered_by IS NOT NULL"), "no copies"


def _note_the_end(on: Stage) -> None:
    """From now, with everybody back, until every job that was asked for has ended."""
    back = time()
    until(lambda: on.client.accepted >= on.allowed, FLOWING, "all was accepted")
    until(lambda: not on.rig.unfinished(), 4 * RECOVERY, "every job has ended")
    on.noted.append(time() - back)


def _kill_a_busy_worker(on: Stage) -> None:
    def busy() -> str:
        ready = [name for name in on.rig.workers if on.rig.keeper.serves(name)]
        on.dice.shuffle(ready)
        return next((name for name in ready if _may_die(on, name)), "")

    def over() -> bool:
        """The whole share was done between two looks."""
        return on.client.accepted >= on.allowed and not on.rig.unfinished()

    name = until(
        lambda: busy() or ("nobody" if over() else ""), FLOWING, "a worker works", every=0.005
    )
    if name == "nobody":
        return
    moment = time() + on.dice.uniform(0, 0.05)
    until(lambda: time() >= moment, 5, "the moment", every=0.001)
    on.rig.keeper.kill(name)
    on.faults += 1


def _may_die(on: Stage, name: str) -> bool:
    """It holds jobs, and none that a third death alone would rightly quarantine."""
    row = on.rig.row(
        "SELECT count(*) AS held, coalesce(max(crashes), 0) AS most FROM jobs"
        " WHERE status = 'running' AND worker LIKE :like",
        like=f"%:{on.rig.keeper.life(name).pid}:%",
    )
    return bool(row.held) and row.most < MAX_SOLO_CRASHES


def kill_redis(on: Stage) -> None:
    """2: `kill -9` of Redis under load; its log survives."""
    for _ in on.rounds_of_work():
        on.rig.keeper.kill("redis", stay_down=True)
        on.resume(on.rig.keeper.up("redis").ready or time())
        on.faults += 1


def cut_power_of_redis(on: Stage) -> None:
    """3: Redis comes back without the last 64 KiB of its log."""
    for _ in on.rounds_of_work():
        on.rig.keeper.kill("redis", stay_down=True)
        _cut_the_log(on.rig)
        on.resume(on.rig.keeper.up("redis").ready or time())
        on.faults += 1


def _cut_the_log(rig: Rig) -> None:
    log = _redis_log(rig)
    os.truncate(log, max(0, log.stat().st_size - LOST_BY_A_POWER_CUT))


def _redis_log(rig: Rig) -> Path:
    """One file up to Redis 6; from 7 on the newest of a folder."""
    logs = sorted(rig.redis.directory.glob("appendonlydir/*.incr.aof"))
    return logs[-1] if logs else rig.redis.directory / "appendonly.aof"


def lose_redis(on: Stage) -> None:
    """4: Redis comes back empty, or is emptied while it runs."""
    with Redis.from_url(on.rig.redis.url) as redis:
        for number in on.rounds_of_work():
            if number % 2:
                redis.flushall()
                on.resume(time())
            else:
                on.rig.keeper.kill("redis", stay_down=True)
                _redis_log(on.rig).unlink()
                on.resume(on.rig.keeper.up("redis").ready or time())
            on.faults += 1


def stop_postgres(on: Stage) -> None:
    """6: an immediate stop of Postgres, wherever its transactions are."""
    for _ in on.rounds_of_work():
        on.rig.keeper.kill("postgres", stay_down=True, number=SIGQUIT)
        on.resume(on.rig.keeper.up("postgres").ready or time())
        on.faults += 1


def lose_replies(on: Stage) -> None:
    """7: COMMIT is done and its reply dropped, on accept, claim, finish, sweep and tell."""
    times = max(1, on.rounds // len(COMMITS))
    struck: dict[str, list[LostReply]] = {}
    for name, text in COMMITS.items():
        for process in _speakers(on, name):
            rule = LostReply(text, times)
            struck.setdefault(name, []).append(rule)
            on.rig.link(process, "postgres").rules.append(rule)
    for _ in on.rounds_of_work():
        pass
    on.rig.settle(120)
    on.faults = sum(rule.struck for rules in struck.values() for rule in rules)
    missed = [name for name, rules in struck.items() if not any(rule.struck for rule in rules)]
    assert not missed, f"no reply was lost on {missed}: do they still say what we listen for?"


def _speakers(on: Stage, name: str) -> list[str]:
    if name in ("sweep", "tell"):
        return ["io"]
    return ["desk"] if name == "accept" else on.rig.workers


def copy_tickets(on: Stage) -> None:
    """10: every message of Redis five times, the copies later, before and behind others."""
    with Copier(on.rig.redis.url, on.dice, copies=4) as copier:
        for name in ("desk", "io", *on.rig.workers):
            on.rig.link(name, "redis").taps.append(copier.see)
        for _ in on.rounds_of_work():
            pass
        on.rig.settle(120)
        on.faults = copier.copied


def wake_zombies(on: Stage) -> None:
    """
    11: a worker is frozen with jobs that it has just claimed, loses them, and does them after all.

    Its answer meets a job in the hands of the next worker, who is held as he finishes it.
    """
    zombie, heir = on.rig.workers
    way = on.rig.link(zombie, "postgres")
    late = _late()

    def set_the_scene() -> None:
        nonlocal late
        on.rig.keeper.signal(heir, SIGSTOP)  # so that the zombie gets something to do
        late = _late()
        way.rules[:] = [late]

    for _ in on.shares(set_the_scene):
        assert late.reached.wait(FLOWING), "the zombie never claimed anything"
        _haunt(on, zombie, heir, late)
        on.rig.settle(4 * RECOVERY)
        on.faults += 1


def _late() -> LateReply:
    """Not in a transaction: Postgres would end that, and the fence would never be asked."""
    return LateReply(LATER_IN_CLAIM, then=FIRST_OF_FINISH)


def _haunt(on: Stage, zombie: str, heir: str, late: LateReply) -> None:
    """Freeze the one, let the other inherit, and let both answer, the late one first."""
    keeper, lease = on.rig.keeper, WorkerSettings().lease_seconds
    frozen, pid = time(), keeper.signal(zombie, SIGSTOP).pid
    keeper.signal(heir, SIGCONT)
    until(lambda: on.rig.unfinished() == on.rig.held_by(pid) > 0, lease, "the heir is idle")
    inherited, way = Hold(FIRST_OF_FINISH), on.rig.link(heir, "postgres")
    way.rules[:] = [inherited]
    until(lambda: not on.rig.held_by(pid), 2 * RECOVERY, "the zombie's jobs are taken back")
    assert inherited.reached.wait(FLOWING), "the heir never had one of them"
    until(lambda: time() > frozen + 2 * lease, 2 * lease, "two leases have passed")
    late.release()
    keeper.signal(zombie, SIGCONT)
    assert late.over.wait(FLOWING), "the zombie gave up"
    inherited.release()


def freeze_claims(on: Stage) -> None:
    """A worker is frozen in the middle of its claim, with its jobs locked and not yet its own."""
    frozen, other = on.rig.workers
    way = on.rig.link(frozen, "postgres")
    held = Hold(LATER_IN_CLAIM)

    def set_the_scene() -> None:
        nonlocal held
        on.rig.keeper.signal(other, SIGSTOP)  # so that the first gets something to do
        held = Hold(LATER_IN_CLAIM)
        way.rules[:] = [held]

    for _ in on.shares(set_the_scene):
        assert held.reached.wait(FLOWING), "nobody ever claimed anything"
        on.rig.keeper.signal(frozen, SIGSTOP)
        on.rig.keeper.signal(other, SIGCONT)
        _note_the_end(on)
        held.release()
        on.rig.keeper.signal(frozen, SIGCONT)
        on.faults += 1


def roll(on: Stage) -> None:
    """17: SIGTERM to one process after another, of every kind, under load."""
    names = [f"api-{n}" for n in range(len(on.rig.ports))] + on.rig.workers + ["io"]
    for number in on.rounds_of_work():
        name = names[number % len(names)]
        start = time()
        on.rig.keeper.ask(name, seconds=GRACE)
        on.drained.append(time() - start)
        on.rig.keeper.wait_ready(name)
        on.faults += 1


def stall_the_teller(on: Stage) -> None:
    """The io worker is killed while receivers have not yet read what it sends them."""
    way = on.rig.receiver_link
    for _ in on.shares(lambda: way.deaf(True)):
        until(lambda: way.connections, FLOWING, "a webhook is on its way")
        until(lambda: not on.rig.unfinished(), FLOWING, "every job has ended")
        on.rig.keeper.kill("io", stay_down=True)
        way.cut()
        until(lambda: not way.connections, FLOWING, "nothing is on its way")
        way.deaf(False)
        back = on.rig.keeper.up("io").ready or time()
        until(lambda: not on.rig.undelivered(), 10 * RECOVERY, "every webhook is out", every=0.1)
        on.noted.append(time() - back)
        on.faults += 1


def commit_slowly(on: Stage) -> None:
    """Every packet between API and Postgres takes its time; each job comes alone."""
    for number in range(len(on.rig.ports)):
        on.rig.link(f"api-{number}", "postgres").delay = 0.03
    for _ in range(on.jobs):
        on.client.one()
        until(lambda: not on.rig.unfinished(), 2 * RECOVERY, "the one job has ended")
        on.faults += 1
