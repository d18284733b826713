import asyncio
from typing import Any

from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.database.transcripts import ROWS_AT_ONCE
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.records import TranscriptKey

KEY = TranscriptKey(project_key="-home-ada", session_id="s1")
PART = TranscriptKey(project_key="-home-ada", session_id="s1", subpath="subagents/agent-1")


def entry(uuid: str | None, **fields: Any) -> dict[str, Any]:
    return {"type": "user", **fields} if uuid is None else {"type": "user", "uuid": uuid, **fields}


async def test_entries_come_back_in_the_order_they_were_appended(store: SqlStore) -> None:
    entries = [entry(f"u{number}", text="ä\n\u2028", parts=[number, 1.5, None]) for number in range(ROWS_AT_ONCE * 2)]
    await store.append_transcript(KEY, entries[:7])
    await store.append_transcript(KEY, entries[7:])
    assert await store.load_transcript(KEY) == entries


async def test_an_entry_that_is_there_already_is_left_out(store: SqlStore) -> None:
    first = [entry(f"u{number}") for number in range(ROWS_AT_ONCE + 3)]
    await store.append_transcript(KEY, [*first, first[0]])
    await store.append_transcript(KEY, [*first, entry("new")])
    assert await store.load_transcript(KEY) == [*first, entry("new")]


async def test_entries_without_an_identity_are_all_kept(store: SqlStore) -> None:
    await store.append_transcript(KEY, [entry(None), entry(None)])
    await store.append_transcript(KEY, [entry(None)])
    assert len(await store.load_transcript(KEY)) == 3


async def test_what_no_database_can_hold_is_replaced_and_the_rest_kept(store: SqlStore) -> None:
    await store.append_transcript(KEY, [entry("u1", text="a\0b")])
    assert await store.load_transcript(KEY) == [entry("u1", text="a\ufffdb")]


async def test_processes_that_append_at_once_lose_and_double_nothing(store_url: str) -> None:
    def batch(writer: int, number: int) -> list[dict[str, Any]]:
        mine = f"{writer}-{number}"
        return [entry(f"{mine}-a"), entry(f"shared-{number}"), entry(f"{mine}-b")]

    async with open_store(store_url) as one, open_store(store_url) as other:
        await asyncio.gather(
            *(
                store.append_transcript(KEY, batch(writer, number))
                for number in range(15)
                for writer, store in enumerate((one, other))
            )
        )
        uuids = [entry["uuid"] for entry in await one.load_transcript(KEY)]
    assert len(uuids) == len(set(uuids)) == 15 * 5
    assert all(
        uuids.index(f"{writer}-{number}-a") < uuids.index(f"{writer}-{number}-b")
        for number in range(15)
        for writer in (0, 1)
    )


async def test_the_parts_of_a_conversation_are_kept_apart_and_forgotten_with_it(store: SqlStore) -> None:
    other = TranscriptKey(project_key="-home-ada", session_id="s2")
    for key in (KEY, PART, other):
        await store.append_transcript(key, [entry("u1", of=key.subpath)])
    assert await store.load_transcript(PART) == [entry("u1", of="subagents/agent-1")]
    assert await store.list_subpaths("-home-ada", "s1") == ["subagents/agent-1"]
    listed = await store.list_transcripts("-home-ada")
    assert sorted(listed) == ["s1", "s2"] and all(last <= now() for last in listed.values())
    await store.delete_transcript(KEY)
    assert await store.load_transcript(KEY) == await store.load_transcript(PART) == []
    assert list(await store.list_transcripts("-home-ada")) == ["s2"]


async def test_forgetting_a_part_leaves_the_conversation(store: SqlStore) -> None:
    for key in (KEY, PART):
        await store.append_transcript(key, [entry("u1")])
    await store.delete_transcript(PART)
    assert await store.load_transcript(PART) == [] and await store.load_transcript(KEY) == [entry("u1")]
