"""Many small jobs, some at once, of which none can hold up or spoil the others."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from cli.must_gather.archive import CannotWrite
from cli.must_gather.digest import Digest
from cli.must_gather.fleet import Unheard
from coordinator.kube.errors import KubeError

AT_ONCE: Final = 8
ITEM_SECONDS: Final = 60.0
"""For one job, such as a log. Each request of a list has the client's own, shorter limit."""

CUT_SHORT: Final = "not reached before the end"


class Job(NamedTuple):
    """`name` is what could not be had if it fails."""

    name: str
    run: Callable[[], Awaitable[None]]


async def work(jobs: Iterable[Job], digest: Digest, item_seconds: float = ITEM_SECONDS) -> None:
    """Run them all. What fails is in the digest, and what was not done when this is cancelled. Raises CannotWrite."""
    left = deque(jobs)

    async def worker() -> None:
        while left:
            await _attempt(left.popleft(), digest, item_seconds)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
    except* CannotWrite as errors:
        raise errors.exceptions[0] from None
    finally:
        for job in left:
            digest.failed(job.name, CUT_SHORT)


def why(error: KubeError) -> str:
    """In the API server's words. The advice of the coordinator's own errors is for its account."""
    return error.status.message or error.status.reason or f"HTTP {error.status.code}"


async def _attempt(job: Job, digest: Digest, item_seconds: float) -> None:
    digest.under_way[id(job)] = job.name
    try:
        async with asyncio.timeout(item_seconds):
            await job.run()
        digest.done += 1
    except asyncio.CancelledError:
        digest.failed(job.name, CUT_SHORT)
        raise
    except CannotWrite:
        raise
    except TimeoutError:
        digest.failed(job.name, f"no end within {item_seconds:g} s")
    except KubeError as error:
        digest.failed(job.name, why(error))
    except Unheard as error:
        digest.failed(job.name, str(error))
    except Exception as error:  # an object of a shape that nobody foresaw must not cost all others
        digest.failed(job.name, f"{type(error).__name__}: {error}")
    finally:
        del digest.under_way[id(job)]
