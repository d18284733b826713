"""Reads a stream of Server-Sent Events, as far as ours uses them."""

from collections.abc import AsyncIterator

LONGEST_EVENT = 64_000_000
"""Characters. A server that sends more in one event is none of ours."""


async def read_events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """The name and the data of each event; `message` when it has no name. Comments come as `("", "")`.

    Raises:
        ValueError: an event is too long.
    """
    name, data, size = "message", list[str](), 0
    async for line in lines:
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data, size = "message", [], 0
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        size += len(value)
        if size > LONGEST_EVENT:
            raise ValueError("an event of the stream is too long")
        match field:
            case "":
                yield "", ""
            case "event":
                name = value
            case "data":
                data.append(value)
