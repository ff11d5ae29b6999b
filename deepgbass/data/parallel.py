"""`map` in several threads, for files to decode or to hash."""

import collections
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor


def parallel_map(
    function: Callable, items: Iterable, workers: int | None = None
) -> Iterator:
    """`map` in threads, in order, that holds only a few items at a time.

    Threads, because decoding and hashing let go of the interpreter's lock.

    Args:
        function: Is called with each item.
        items: Read as they are needed.
        workers: Number of threads. Default: one a core.
    """
    workers = workers or os.cpu_count() or 1
    items = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        submit = functools.partial(pool.submit, function)
        pending = collections.deque(
            map(submit, itertools.islice(items, 4 * workers))
        )
        while pending:
            result = pending.popleft().result()
            pending.extend(map(submit, itertools.islice(items, 1)))
            yield result
