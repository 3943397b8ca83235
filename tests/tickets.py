"""Tickets that nobody serves: a queue as a list."""

from app.domain.job import Lane
from app.queue import QueueName, queue_of


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
        return sum(queue_of(lane) is queue for lane in self.lanes)
