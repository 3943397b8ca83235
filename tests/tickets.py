"""Tickets that nobody serves: a queue as a list."""

from app.domain.job import Lane
from app.queue import QueueName


class ListTickets:
    """Satisfies `Tickets`, and tells what was sent."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.deliveries = 0

    def work(self, lane: Lane, tickets: int = 1) -> None:
        self.lanes += [lane] * tickets

    def deliver(self) -> None:
        self.deliveries += 1

    def waiting(self, queue: QueueName) -> int:
        fetching = self.lanes.count(Lane.FETCH)
        return fetching if queue is QueueName.IO else len(self.lanes) - fetching
