"""Whether this process takes tickets: an operator may have drained it."""

import logging
from typing import Any

from app.queue import QueueName

log = logging.getLogger(__name__)


class Duty:
    """
    Called with what an operator wants at each report; makes Celery's consumer follow.

    Claims already pass a drained worker by. It leaves the queue, too, or it would eat the tickets
    of those who work. What the consumer does now is asked anew each time: it may have connected
    again since.
    """

    def __init__(self, worker: Any, queue: QueueName) -> None:
        self._worker, self._queue = worker, queue.value

    def __call__(self, halted: bool) -> None:
        consumer = self._worker.consumer
        if consumer is None or consumer.task_consumer is None:
            return  # not connected: the next report finds it so
        if consumer.task_consumer.consuming_from(self._queue) is not halted:
            return
        follow = consumer.cancel_task_queue if halted else consumer.add_task_queue
        consumer.call_soon(follow, self._queue)
        log.warning("drained: takes no more work" if halted else "resumed: takes work again")
