import json
import math
from dataclasses import MISSING, fields
from inspect import isclass
from pathlib import Path
from typing import Any, get_args

import pytest

from orchestrator_tui.api import schemas, wire
from orchestrator_tui.api.access import SCOPES, scope_of
from orchestrator_tui.api.sse import read_events
from orchestrator_tui.domain import errors, limits
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import COMMAND_TYPES, Command
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.events import AgentCalledTool, AgentDelta, AgentSaid, Live, Recorded, Resync
from orchestrator_tui.domain.statuses import Choice

RECORDED = Recorded(seq=7, at=now(), project_id="p", event=AgentSaid(agent_id="a", text="Zażółć\r\n\n🎉"))
INSIDE = (errors.GaveUp, errors.MustWait, errors.DecisionAwaited)
"""Errors by which the parts of an engine speak to each other: none of them leaves it."""
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isclass(kind) and issubclass(kind, OrchestratorError) and kind not in INSIDE
]
CHOSEN = {"choice": Choice.APPROVE, "scope": limits.Scope.PROJECT, "resource": limits.Resource.MONEY, "amount": 5.0}
CHOSEN |= {"priority": 5}
MADE: dict[type[OrchestratorError], tuple[tuple[Any, ...], dict[str, Any]]] = {
    errors.DirectoryUnusable: ((Path("/x"), "it is a file"), {"hint": "Name another."}),
    errors.FolderGone: ((Path("/x"),), {}),
    errors.NotOnThisMachine: ((Path("/x"), "it is elsewhere"), {"hint": "Look there."}),
    errors.RemoteUnavailable: (("/mnt/team/x.git", "no such folder"), {}),
    errors.ToolMissing: (("git",), {"hint": "Install it."}),
    errors.ProjectKnown: (("It is known.",), {"number": 3, "hint": "Resume it."}),
    errors.StateFileMissing: ((Path("/x/state"),), {}),
    errors.StateFileDamaged: ((Path("/x/state"), "no JSON"), {}),
    errors.AlreadyOwned: (("process 3 on box since 12",), {}),
    errors.DiskFull: ((Path("/x"),), {}),
    errors.LimitReached: (("It is used up.",), {"hint": "Raise it.", "phase": "implement", "item_id": None}),
    errors.AgentFailed: (("It failed.",), {"kind": "overload", "status": 529}),
}


def sample(kind: type[Any]) -> Command:
    """A command of a type, its fields filled."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.default is MISSING and field.default_factory is MISSING:
            values[field.name] = CHOSEN.get(field.name, f"some {field.name}")
    made: Command = kind(**values)
    return made


@pytest.mark.parametrize("name", COMMAND_TYPES)
def test_every_command_comes_over_the_wire_and_its_body_is_described(name: str) -> None:
    command = sample(COMMAND_TYPES[name])
    plain = json.loads(wire.dumps(wire.command_plain(command)))
    assert wire.command_from(plain) == command
    body = next(one for one in get_args(get_args(schemas.AnyCommand)[0]) if one.__name__ == name)
    assert wire.command_from(body.model_validate(plain).model_dump(mode="json")) == command


def test_a_command_that_nobody_decided_about_needs_the_widest_scope() -> None:
    assert scope_of(int) is Scope.ADMIN
    assert set(SCOPES) <= set(COMMAND_TYPES.values())


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_what_it_was(kind: type[OrchestratorError]) -> None:
    arguments, named = MADE.get(kind, (("It went wrong.",), {"hint": "Do this."}))
    error = kind(*arguments, **named)
    back = wire.error_from(json.loads(wire.dumps(wire.error_plain(error))))
    assert type(back) is kind
    assert isinstance(back, OrchestratorError)
    assert (back.message, back.hint, back.title) == (error.message, error.hint, error.title)
    assert {**vars(error), "hint": "", "title": ""} == {**vars(back), "hint": "", "title": ""}


def test_an_error_of_a_newer_server_is_one_all_the_same() -> None:
    back = wire.error_from({"error": "FromTheFuture", "title": "New", "detail": "What.", "hint": "Wait.", "fields": 3})
    assert type(back) is OrchestratorError
    assert (back.title, back.message, back.hint) == ("New", "What.", "Wait.")


def test_what_nobody_planned_for_tells_no_details() -> None:
    plain = wire.error_plain(RuntimeError("/home/ada/secret"))
    assert plain["error"] == "ServerBroken"
    assert "ada" not in json.dumps(plain)


async def lines(text: str) -> Any:
    for line in text.split("\n"):
        yield line


@pytest.mark.parametrize(
    "live", [RECORDED, AgentDelta(project_id="p", agent_id="a", text="half \ud83d a\npair"), Resync(after_seq=4)]
)
async def test_what_happens_comes_out_of_the_stream_as_it_went_in(live: Live) -> None:
    framed = wire.frame(live).decode()
    found = [wire.live_from(name, data) async for name, data in read_events(lines(f": alive\n\n{framed}")) if name]
    assert found == [live]
    assert ("id: 7" in framed) is isinstance(live, Recorded)


def test_numbers_that_json_does_not_have_become_null() -> None:
    event = AgentCalledTool(agent_id="a", call_id="c", tool="t", summary="", arguments={"x": math.nan})
    recorded = Recorded(seq=1, at=now(), project_id="p", event=event)
    assert json.loads(wire.dumps(wire.recorded_plain(recorded)))["data"]["arguments"] == {"x": None}


def test_an_event_of_a_newer_server_says_what_to_do() -> None:
    plain = {**wire.recorded_plain(RECORDED), "type": "FromTheFuture"}
    with pytest.raises(OrchestratorError, match="FromTheFuture") as raised:
        wire.recorded_from(plain)
    assert "Update" in raised.value.hint
