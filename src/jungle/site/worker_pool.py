"""Heavy work in several processes; the results come in the same order, and are the same, as in
one.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
FEW = 6  # heavy tasks for which starting processes does not pay


def run_in_processes(tasks: Sequence[tuple[Callable[[], T], bool]], workers: int) -> Iterator[T]:
    """What each task returns, in order.

    Args:
        tasks: pairs of a function without arguments and whether it is heavy; a heavy one must be
            picklable.
        workers: processes for the heavy ones; the others run here, between them.
    """
    if workers < 2 or sum(heavy for _, heavy in tasks) < FEW:
        yield from (task() for task, _ in tasks)
        return

    # Not fork: the caller may hold locks of torch's threads
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))

    try:
        waiting = {
            index: pool.submit(_called, task) for index, (task, heavy) in enumerate(tasks) if heavy
        }

        for index, (task, heavy) in enumerate(tasks):
            if not heavy:
                yield task()
                continue
            try:
                yield waiting.pop(index).result()
            except BrokenProcessPool:
                # a process was killed, most likely for its memory: go on alone
                yield task()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _called(task: Callable[[], T]) -> T:
    return task()
