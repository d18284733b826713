import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import RequestClosed
from orchestrator_tui.domain.records import InputRequest, Project, SessionLog, ToolCall, Usage
from orchestrator_tui.domain.statuses import AgentStatus, Choice, PhaseName, RequestStatus
from tests.conftest import make_project
from tests.database.samples import approval, artifact, item, session


async def open_requests(store: SqlStore, *requests: InputRequest) -> None:
    async with store.transaction() as unit:
        for request in requests:
            await unit.open_request(request)


async def answer(store: SqlStore, request: InputRequest, by: str, content_hash: str = "abc") -> InputRequest:
    async with store.transaction() as unit:
        return await unit.answer_request(
            request.id, content_hash=content_hash, choice=Choice.APPROVE, text="fine", by=by
        )


async def test_the_first_answer_wins(store: SqlStore, project: Project) -> None:
    request = approval(project.id)
    await open_requests(store, request)
    results = await asyncio.gather(*(answer(store, request, by) for by in ("ada", "bob")), return_exceptions=True)
    [won] = [result for result in results if isinstance(result, InputRequest)]
    [lost] = [result for result in results if isinstance(result, RequestClosed)]
    assert (won.status, won.choice, won.text) == (RequestStatus.ANSWERED, Choice.APPROVE, "fine")
    assert f"answered already by {won.answered_by} (approve)" in lost.message
    assert await store.get_request(request.id) == won
    assert await store.open_requests() == []


async def test_what_a_session_at_work_has_used_is_kept_until_its_end_says_it(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        started = await unit.start_session(session(project.id))
        await unit.save_usage(started.id, Usage(input_tokens=5, cost_usd=0.25))
    [at_work] = (await store.overview(project.id)).running
    assert at_work.usage == Usage(input_tokens=5, cost_usd=0.25)
    # Whoever follows the events adds it when it ends.
    assert await store.usage_by_phase(project.id) == {} == (await store.overview(project.id)).usage
    used = Usage(input_tokens=9, output_tokens=1, cost_usd=0.5)
    async with store.transaction() as unit:
        await unit.end_session(replace(started, ended_at=now(), status=AgentStatus.COMPLETED, usage=used))
        await unit.save_usage(started.id, Usage(input_tokens=5))
    assert await store.usage_by_phase(project.id) == {started.phase: used}


async def test_a_used_up_limit_of_an_account_is_known_by_its_name_until_it_is_over(store: SqlStore) -> None:
    assert await store.account_limit(["a", "a/opus"]) is None
    soon, later = now(), now() + timedelta(hours=1)
    async with store.transaction() as unit:
        await unit.limit_account("a", later)
        await unit.limit_account("a/opus", soon)
        await unit.limit_account("b", later + timedelta(hours=1))
    assert await store.account_limit(["a", "a/opus"]) == later
    async with store.transaction() as unit:
        await unit.limit_account("a", soon)
    assert await store.account_limit(["a"]) == soon


async def test_an_answer_to_other_content_is_refused(store: SqlStore, project: Project) -> None:
    request = approval(project.id)
    await open_requests(store, request)
    with pytest.raises(RequestClosed, match="content changed"):
        await answer(store, request, "ada", content_hash="old")
    with pytest.raises(KeyError):
        await answer(store, approval(project.id), "ada")
    assert await store.get_request(request.id) == request


async def test_withdrawn_requests_take_no_answer(store: SqlStore, project: Project) -> None:
    request, other = approval(project.id), approval((await make_project(store, "other")).id)
    await open_requests(store, request, other)
    async with store.transaction() as unit:
        await unit.withdraw_requests(project.id)
    with pytest.raises(RequestClosed, match="no longer asked"):
        await answer(store, request, "ada")
    assert await store.open_requests() == [other]


async def test_open_requests_are_listed_oldest_first(store: SqlStore, project: Project) -> None:
    newer, older = approval(project.id), approval(project.id, created_at=now() - timedelta(hours=1))
    await open_requests(store, newer, older)
    assert await store.open_requests(project.id) == [older, newer]
    assert (await store.overview(project.id)).waiting_for == older


async def test_artifacts_come_back_and_the_newest_is_the_latest(store: SqlStore, project: Project) -> None:
    first = artifact(project.id, content={"text": "ä", "list": [1, 2.5, None, True]})
    second = artifact(project.id, round=2, created_at=first.created_at + timedelta(seconds=1))
    draft = artifact(project.id, output_type="draft", created_at=first.created_at + timedelta(seconds=2))
    async with store.transaction() as unit:
        for each in (first, second, draft):
            await unit.add_artifact(each)
        await unit.open_request(approval(project.id, artifact_id=second.id))
    assert await store.list_artifacts(project.id) == [first, second, draft]
    assert await store.latest_artifact(project.id, PhaseName.IDEATION) == draft
    assert await store.latest_artifact(project.id, PhaseName.IDEATION, "requirements") == second
    assert await store.latest_artifact(project.id, PhaseName.TESTING) is None


async def test_sessions_are_numbered_ended_and_paged(store: SqlStore, project: Project) -> None:
    async def start(role: str) -> SessionLog:
        async with store.transaction() as unit:
            return await unit.start_session(session(project.id, role=role))

    started = await asyncio.gather(*(start(f"r{number}") for number in range(4)))
    assert sorted(one.session_number for one in started) == [1, 2, 3, 4]
    ended = replace(
        started[0],
        status=AgentStatus.COMPLETED,
        ended_at=now(),
        summary="done",
        tool_calls=(ToolCall(call_id="c", tool="Bash", summary="ls", is_error=False, seconds=0.5),),
        usage=Usage(input_tokens=5_000_000_000, output_tokens=2, cost_usd=0.25),
        cli_session_id=new_id(),
    )
    async with store.transaction() as unit:
        await unit.end_session(ended)
    assert ended in await store.list_sessions(project.id)
    assert [one.session_number for one in await store.list_sessions(project.id, after=1, limit=2)] == [2, 3]
    with pytest.raises(KeyError):
        async with store.transaction() as unit:
            await unit.end_session(session(project.id))


async def test_the_overview_adds_up_usage_and_items(store: SqlStore, project: Project) -> None:
    usage = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_write_tokens=4, cost_usd=0.5)
    async with store.transaction() as unit:
        for phase in (PhaseName.IDEATION, PhaseName.IMPLEMENT, PhaseName.IMPLEMENT):
            started = await unit.start_session(session(project.id, phase=phase, usage=usage))
            await unit.end_session(replace(started, ended_at=now(), status=AgentStatus.COMPLETED))
        await unit.add_work_items([item(project.id, "a")])
    overview = await store.overview(project.id)
    assert overview.usage == {PhaseName.IDEATION: usage, PhaseName.IMPLEMENT: usage + usage}
    assert overview.usage == await store.usage_by_phase(project.id)
    assert overview.total_usage.tokens == 30
    assert (overview.items.total, overview.waiting_for) == (1, None)
    assert overview.state == await store.pipeline_state(project.id)
    assert overview.project == await store.find_project("1")


async def test_requests_documents_and_comments_are_paged_by_the_last_one_seen(
    store: SqlStore, project: Project
) -> None:
    moment = now()
    # Some are of the same moment.
    moments = [moment + timedelta(seconds=number // 2) for number in range(5)]
    await open_requests(store, *(approval(project.id, id=new_id(), created_at=at) for at in moments))
    async with store.transaction() as unit:
        for number, at in enumerate(moments):
            await unit.add_artifact(artifact(project.id, id=new_id(), round=number % 2 + 1, created_at=at))
        (stored,) = await unit.add_work_items([item(project.id, "one")])
        for number in range(5):
            await unit.add_comment(stored.id, f"note {number}", author="ada")

    pages: list[Callable[..., Awaitable[Sequence[Any]]]] = [
        partial(store.open_requests, project.id),
        partial(store.list_artifacts, project.id),
        partial(store.list_comments, stored.id),
    ]
    for page in pages:
        whole, found = await page(), list[Any]()
        assert len(whole) == 5
        while some := await page(after=found[-1].id if found else None, limit=2):
            assert len(some) <= 2
            found += some
        assert found == list(whole)
        assert await page(after=new_id(), limit=2) == []
