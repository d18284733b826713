import asyncio

import pytest

from orchestrator_tui.domain.finishing import finish


async def test_work_goes_on_to_its_end_and_the_cancellation_follows() -> None:
    gate, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await gate.wait()
        done.set()

    task = asyncio.create_task(finish(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_a_cancellation_in_the_very_moment_the_work_ends_is_not_lost() -> None:
    work = asyncio.get_running_loop().create_future()
    went_on = False

    async def caller() -> None:
        nonlocal went_on
        await finish(work)
        went_on = True

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()
    work.set_result(1)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not went_on


async def test_what_the_work_returns_and_raises_arrives() -> None:
    async def fine() -> int:
        return 3

    async def broken() -> int:
        raise KeyError("x")

    assert await finish(fine()) == 3
    with pytest.raises(KeyError):
        await finish(broken())


async def test_work_that_is_cancelled_itself_is_a_cancellation() -> None:
    work = asyncio.get_running_loop().create_future()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finish(work)
