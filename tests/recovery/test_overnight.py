"""A night alone: hundreds of sessions, any of them in trouble, hours of waiting; and no clock of the real world."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui import compose
from orchestrator_tui.agents.base import SessionRequest
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from orchestrator_tui.domain.troubles import OF_THE_SERVICE, Rung, Trouble
from tests.recovery import troubled
from tests.recovery.light_folder import LightVerifier, LightWorkspace, NoMirror
from tests.recovery.test_classes import PHASES
from tests.recovery.troubled import START, FakeClock, Fault, TroubledRuntime, breakable_scenario
from tests.running import Watched, launch

SESSIONS = 500
ITEMS = 200
SEED = 20261127
SAME_ERROR = 3
FAULTS: Sequence[tuple[Trouble, list[Fault]]] = (
    (Trouble.RATE_LIMIT, [troubled.RATE_LIMIT]),
    (Trouble.USAGE_LIMIT, [troubled.usage_limit(1)]),
    (Trouble.OVERLOAD, [troubled.OVERLOAD]),
    (Trouble.NETWORK, [troubled.NETWORK]),
    (Trouble.CONTEXT_OVERFLOW, [troubled.OVERFLOW]),
    (Trouble.BLOCKED_COMMAND, [troubled.BLOCKED]),
    (Trouble.INVALID_ANSWER, [troubled.INVALID] * 6),
    (Trouble.FAILING_CHECK, [troubled.RED]),
    (Trouble.TOOL_MISSING, [troubled.MISSING_TOOL]),
    (Trouble.MERGE_CONFLICT, [troubled.CONFLICT]),
    (Trouble.STALLED, [troubled.stall]),
    (Trouble.LOOPING, [troubled.LOOP]),
    (Trouble.LOOPING, [troubled.BACK_AND_FORTH]),
    (Trouble.LOOPING, [troubled.TALK] * 3),
    (Trouble.OUT_OF_TURNS, [troubled.OUT_OF_TURNS]),
    (Trouble.UNKNOWN, [troubled.LOST]),
)


@dataclass
class Night:
    """Which faults come, by the seed: four sessions of five are in trouble, some of them more than once."""

    chance: random.Random
    dealt: Counter[Trouble] = field(default_factory=Counter)

    def faults_of(self, request: SessionRequest) -> Iterable[Fault]:
        dealt: list[Fault] = []
        while request.role == "developer" and self.chance.random() < (0.8 if not dealt else 0.3):
            trouble, faults = self.chance.choice(FAULTS)
            self.dealt[trouble] += 1
            dealt += faults
        return dealt


def independent(scenario: Scenario) -> Scenario:
    """The scenario's items without links, so that one that is given up keeps no other from being done."""

    def free(value: Any) -> Any:
        match value:
            case {"depends_on": _}:
                return {**value, "depends_on": []}
            case {"items": list(items)}:
                return {**value, "items": [free(item) for item in items]}
            case _:
                return value

    answers = [
        replace(one, turns=tuple(replace(turn, input=free(turn.input)) for turn in one.turns))
        for one in scenario.answers
    ]
    return replace(scenario, answers=tuple(answers))


@pytest.mark.timeout(600)
async def test_a_night_of_faults_ends_with_everything_done_or_blocked_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "Checkout", LightWorkspace)
    monkeypatch.setattr(compose, "Verifier", LightVerifier)
    monkeypatch.setattr(compose, "Mirror", NoMirror)
    monkeypatch.setattr(compose, "end_leftovers", lambda *_: 0)
    clock, night = FakeClock(), Night(random.Random(SEED))
    runtime = TroubledRuntime(clock, night.faults_of, independent(breakable_scenario(ITEMS)))
    start = launch(tmp_path / "home", None, phases=PHASES, error_recovery={"stronger_model": "haiku"})
    async with compose.open_engine(start, runtime=runtime, clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        while await run.until_rest() is PipelineStatus.PAUSED:
            pass
        assert "work items could not be finished" in run.all(events.ErrorOccurred)[-1].message
        items = await engine.items(run.project_id, limit=1000)
        assert len(runtime.started) >= SESSIONS
        assert {one for one, _ in FAULTS} == set(night.dealt)
        states = Counter(item.status for item in items)
        assert set(states) == {WorkItemStatus.DONE, WorkItemStatus.BLOCKED}, states
        assert states[WorkItemStatus.DONE] > states[WorkItemStatus.BLOCKED] > 0
        for item in items:
            if item.status is WorkItemStatus.BLOCKED:
                report = (await engine.comments(item.id))[-1].content
                assert report.startswith("Blocked. Given up after")
                assert len(set(report.splitlines())) > 4
        sessions = 0
        after = 0
        while page := await engine.sessions(run.project_id, after=after):
            after, sessions = page[-1].session_number, sessions + len(page)
        assert sessions == len(runtime.started)
        # The night's money is what its sessions cost; a limit on it would be asked of here.
        usage = (await engine.overview(run.project_id)).total_usage
        assert 0 < usage.cost_usd < 0.1 * sessions
    nothing_is_tried_the_same_way_too_often(run)
    nobody_asks_while_the_project_waits(run, runtime.asked)
    assert clock.now() - START > timedelta(hours=8)


def nothing_is_tried_the_same_way_too_often(run: Watched) -> None:
    failed: dict[str, list[events.AttemptFailed]] = defaultdict(list)
    for event in run.all(events.AttemptFailed):
        assert event.trouble not in OF_THE_SERVICE
        failed[event.work_item_id or event.role].append(event)
    for attempts in failed.values():
        assert len(attempts) <= 4
        rungs = [attempt.then for attempt in attempts]
        assert rungs.count(Rung.HINT) <= 1 and rungs.count(Rung.STRONGER) <= 1 and rungs.count(Rung.ESCALATE) <= 1
        for index in range(len(attempts) - SAME_ERROR + 1):
            same = attempts[index : index + SAME_ERROR]
            if len({attempt.problem for attempt in same}) == 1:
                assert same[-1].then is not same[-2].then
    answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    called: dict[str, str] = {}
    for recorded in run.seen:
        match recorded.event:
            case events.AgentCalledTool(call_id=call_id, summary=summary) as call if call.tool == "Bash":
                called[call.agent_id + call_id] = summary
            case events.AgentToolReturned(call_id=call_id, output=output) as back if back.agent_id + call_id in called:
                answers[back.agent_id].append((called[back.agent_id + call_id], output))
            case events.AgentPrompted(agent_id=agent_id):
                answers[agent_id].append(("prompt", str(len(answers[agent_id]))))
            case _:
                pass
    for steps in answers.values():
        for index in range(len(steps) - 4):
            assert len(set(steps[index : index + 5])) > 1
        for index in range(len(steps) - 6):
            row = steps[index : index + 7]
            assert len(set(row)) != 2 or row != (row[:2] * 4)[:7]


def nobody_asks_while_the_project_waits(run: Watched, asked: Sequence[datetime]) -> None:
    waits = [event.resumes_at for event in run.all(events.PipelineStatusChanged) if event.resumes_at is not None]
    assert len(waits) >= ITEMS // 4
    for resumes_at in waits:
        assert any(moment >= resumes_at for moment in asked)
        before = max(moment for moment in asked if moment < resumes_at)
        after = min(moment for moment in asked if moment >= resumes_at)
        # The last request before is the one that was refused; the next comes when the pause is over.
        assert after - before >= timedelta(seconds=60)
