"""Waits for whichever of several happenings comes first."""

import asyncio


async def first_of(**happenings: asyncio.Event) -> None:
    """Return once one of them is set; their names are those of the tasks that wait."""
    waits = [asyncio.create_task(event.wait(), name=f"await {name}") for name, event in happenings.items()]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
