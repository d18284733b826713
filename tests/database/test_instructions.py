import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.records import InputRequest, Instruction, Project, permissions_of
from orchestrator_tui.domain.statuses import AgentStatus, Choice, InstructionKind, PhaseName, RequestKind
from tests.database.samples import item, session

STEER, NOTE, INTERRUPT = InstructionKind.STEER, InstructionKind.NOTE, InstructionKind.INTERRUPT


async def given(store: SqlStore, project: Project, kind: InstructionKind, **more: Any) -> Instruction:
    instruction = Instruction(
        id=new_id(), project_id=project.id, kind=kind, text="words", by="ada", created_at=now(), **more
    )
    async with store.transaction() as unit:
        await unit.give_instruction(instruction)
    return instruction


async def claimed(store: SqlStore, project: Project, item: str | None, agent: str) -> list[str]:
    async with store.transaction() as unit:
        return [one.id for one in await unit.claim_notes(project.id, item, agent)]


async def test_a_note_is_told_one_agent_only_and_one_for_an_item_only_there(store: SqlStore, project: Project) -> None:
    anybody = await given(store, project, NOTE)
    for_item = await given(store, project, NOTE, work_item_id="item-1")
    await given(store, project, STEER, agent_id=new_id())
    both = await asyncio.gather(*(claimed(store, project, "item-2", new_id()) for _ in range(3)))
    assert sorted(len(one) for one in both) == [0, 0, 1] and [anybody.id] in both
    assert await claimed(store, project, None, new_id()) == []
    assert await claimed(store, project, "item-1", new_id()) == [for_item.id]


async def test_what_an_agent_did_not_hear_becomes_a_note_and_its_interrupts_are_void(
    store: SqlStore, project: Project
) -> None:
    agent = new_id()
    heard, unheard = [await given(store, project, STEER, agent_id=agent) for _ in range(2)]
    await given(store, project, INTERRUPT, agent_id=agent)
    async with store.transaction() as unit:
        assert await unit.take_instruction(heard.id)
        assert not await unit.take_instruction(heard.id)
        assert [one.kind for one in await unit.release_instructions(agent)] == [STEER, INTERRUPT]
        assert await unit.release_instructions(agent) == []
    assert await store.open_instructions(project.id) == [replace(unheard, kind=NOTE, agent_id=None)]


@pytest.mark.parametrize(("status", "is_bound"), [("interrupted", True), ("failed", True), ("completed", False)])
async def test_words_for_an_agent_that_left_its_item_unfinished_wait_for_who_goes_on_with_that(
    store: SqlStore, project: Project, status: str, is_bound: bool
) -> None:
    async with store.transaction() as unit:
        (mine,) = await unit.add_work_items([item(project.id, "mine")])
        begun = await unit.start_session(replace(session(project.id), work_item_id=mine.id))
    said = await given(store, project, STEER, agent_id=begun.id)
    async with store.transaction() as unit:
        await unit.end_session(replace(begun, status=AgentStatus(status), ended_at=now()))
        await unit.release_instructions(begun.id)
    beside = await claimed(store, project, "another item", new_id())
    assert (beside, await claimed(store, project, mine.id, new_id())) == (
        ([], [said.id]) if is_bound else ([said.id], [])
    )


async def test_an_answer_waits_for_the_agent_that_asked_until_it_has_it(store: SqlStore, project: Project) -> None:
    asked = InputRequest(
        id=new_id(),
        project_id=project.id,
        kind=RequestKind.CLARIFICATION,
        phase=PhaseName.IMPLEMENT,
        title="asks",
        body="Which?",
        choices=(Choice.ANSWER,),
        content_hash="same",
        work_item_id="item-1",
        asked_by="developer/x",
        created_at=now(),
    )
    async with store.transaction() as unit:
        await unit.open_request(asked)
        assert await unit.asked_before(project.id, "same") == asked
        assert await unit.answers_for(project.id, PhaseName.IMPLEMENT, "item-1", "developer/x") == []
        assert not await unit.take_answer(asked.id)
        await unit.answer_request(asked.id, content_hash="same", choice=Choice.ANSWER, text="This.", by="ada")
        assert await unit.answers_for(project.id, PhaseName.IMPLEMENT, None, "developer/x") == []
        (waiting,) = await unit.answers_for(project.id, PhaseName.IMPLEMENT, "item-1", "developer/x")
        assert waiting.text == "This." and await unit.take_answer(asked.id) and not await unit.take_answer(asked.id)
        assert await unit.answers_for(project.id, PhaseName.IMPLEMENT, "item-1", "developer/x") == []
    dossier = await store.dossier(project.id)
    assert dossier.requests[0].taken_at is not None and dossier.requests[0].asked_by == "developer/x"


async def test_permissions_are_kept_with_the_project_beside_its_other_config(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        assert await unit.set_permission(project.id, "make docs", allowed=True)
        assert not await unit.set_permission(project.id, "make docs", allowed=True)
        assert await unit.set_permission(project.id, "ls", allowed=True)
        assert await unit.set_permission(project.id, "make docs", allowed=False)
        assert not await unit.set_permission(project.id, "make docs", allowed=False)
    config = (await store.find_project(project.id)).config
    assert permissions_of(config) == ("ls",)
    assert {name: value for name, value in config.items() if name != "permissions"} == dict(project.config)
    assert permissions_of({"permissions": "ls"}) == () and permissions_of({"permissions": [1, "ls"]}) == ("ls",)


async def test_the_sessions_at_work_are_known(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        started = await unit.start_session(session(project.id))
        assert [one.id for one in await unit.running_sessions(project.id)] == [started.id]
