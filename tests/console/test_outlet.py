import asyncio
import os
import threading

import pytest

from orchestrator_tui.console.outlet import Outlet
from orchestrator_tui.console.view import write_all


async def test_jobs_run_in_order_and_all_before_the_end() -> None:
    done: list[int] = []
    async with Outlet(lambda: None, backlog=10) as outlet:
        for number in range(500):
            await outlet.post(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(500))


async def test_a_reader_that_went_away_is_told_once_and_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    broken: list[str] = []
    try:
        async with Outlet(lambda: broken.append("broken")) as outlet:
            for _ in range(5):
                await outlet.post(lambda: write_all(writing, b"x"))
            await outlet.drain()
    finally:
        os.close(writing)
    assert broken == ["broken"]
    assert isinstance(outlet.error, BrokenPipeError)


async def test_a_stuck_reader_makes_the_caller_wait_but_not_the_loop() -> None:
    stuck = threading.Event()
    async with Outlet(lambda: None, backlog=3) as outlet:
        await outlet.post(lambda: _until(stuck))
        posting = asyncio.create_task(_post_many(outlet, 10))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.shield(posting)
        stuck.set()
        async with asyncio.timeout(10):
            await posting


async def test_who_is_in_a_hurry_does_not_wait_for_a_stuck_reader() -> None:
    stuck = threading.Event()
    async with Outlet(lambda: None, backlog=3) as outlet:
        await outlet.post(lambda: _until(stuck))
        posting = asyncio.create_task(_post_many(outlet, 10))
        outlet.hurry()
        async with asyncio.timeout(10):
            await posting
    stuck.set()


def _until(happened: threading.Event) -> None:
    happened.wait()


async def _post_many(outlet: Outlet, count: int) -> None:
    for _ in range(count):
        await outlet.post(lambda: None)
