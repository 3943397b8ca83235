"""When a worker takes itself out."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from workers.fitness import Fitness

JOBS = [uuid5(UUID(int=0), str(number)) for number in range(6)]
endings = st.lists(st.one_of(st.none(), st.sampled_from(JOBS)))  #: None is a job that went well


@given(st.integers(1, 6), endings)
def test_unfit_after_so_many_different_jobs_since_the_last_good_one(
    most: int, endings: list[UUID | None]
) -> None:
    fitness, broken = Fitness(most), set[UUID]()
    for job in endings:
        if job is None:
            fitness.drew()
            broken = set()
        else:
            fitness.broke(job)
            broken |= {job}
        assert fitness.fit is (len(broken) < most)


@given(st.integers(2, 6), st.integers(1, 50))
def test_one_job_alone_never_takes_a_worker_out(most: int, times: int) -> None:
    fitness = Fitness(most)
    for _ in range(times):
        fitness.broke(JOBS[0])
    assert fitness.fit
