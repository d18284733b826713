from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.conversation import Position, is_side_request, position
from tests.rehearsal.support import assistant, body, call, result, session_request, user

REMINDER = "<system-reminder>\nThe date is such and such.\n</system-reminder>\n"
ENFORCE = "[structured-output-enforce] You MUST call the StructuredOutput tool to complete this request."
GO = user(REMINDER, "go")
STRUCTURED = call("StructuredOutput", "toolu_s")
TAKEN = result("toolu_s")
NOTHING = "No response requested."
LOST = result(is_error=True) | {"content": "[Tool call interrupted: the session ended before this call's result …]"}
WRITE = call("Write") | {"input": {"file_path": "/a.py", "content": "a = 1"}}
UNREAD = result(is_error=True) | {"content": "<tool_use_error>File has not been read yet. Read it first …"}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([GO], Position(1, 0, False)),
        ([{"role": "user", "content": "go"}], Position(1, 0, False)),
        ([GO, assistant("hm", call()), user(result())], Position(1, 1, False)),
        ([GO, assistant(call()), user(result()), user(REMINDER)], Position(1, 1, False)),
        ([GO, assistant(STRUCTURED), user(result("toolu_s"))], Position(1, 1, True)),
        ([GO, assistant(STRUCTURED), user(result("toolu_s", is_error=True))], Position(1, 1, False)),
        ([GO, assistant(STRUCTURED), user(result("toolu_s"), "again")], Position(2, 0, False)),
        ([GO, assistant(STRUCTURED), user(result("toolu_s"), "again"), assistant("ok")], Position(2, 1, False)),
        ([GO, assistant("text"), user("again")], Position(2, 0, False)),
        ([GO, assistant("text"), {"role": "user", "content": ENFORCE}], Position(1, 1, False)),
        ([GO, assistant("te"), user(REMINDER, "[Request interrupted by user]\n", "on")], Position(1, 0, False)),
        (
            [GO, assistant(call()), user(result(), "[Request interrupted by user for tool use]\n", "on")],
            Position(1, 1, False),
        ),
        ([GO, assistant(call()), user(result(), "a hint")], Position(1, 1, False)),
        ([GO, assistant(NOTHING), user("on")], Position(1, 0, False)),
        ([GO, assistant(call()), user(result()), assistant(NOTHING), user("on")], Position(1, 1, False)),
        ([GO, assistant(call()), user(LOST), assistant(NOTHING), user("on")], Position(1, 0, False)),
        (
            [GO, assistant(call()), user(LOST), assistant(NOTHING), user("on"), assistant(call()), user(result())],
            Position(1, 1, False),
        ),
        ([GO, assistant(STRUCTURED), user(TAKEN), assistant(NOTHING), user("next")], Position(2, 0, False)),
        ([GO, assistant(STRUCTURED), user(TAKEN, "next"), assistant(NOTHING), user("on")], Position(2, 0, False)),
        (
            [GO, assistant(STRUCTURED), user(TAKEN, "next"), assistant(NOTHING), user("on"), assistant("ok")],
            Position(2, 1, False),
        ),
        ([GO, assistant(WRITE), user(UNREAD)], Position(1, 0, False, "/a.py")),
        ([GO, assistant(WRITE), user(UNREAD), assistant(call()), user(result())], Position(1, 0, False)),
        (
            [GO, assistant(WRITE), user(UNREAD), assistant(call()), user(result()), assistant(WRITE), user(result())],
            Position(1, 1, False),
        ),
        ([], Position(1, 0, False)),
    ],
)
def test_prompts_and_turns_are_counted_in_the_history(history: list[dict[str, Any]], expected: Position) -> None:
    assert position(history) == expected


def test_requests_beside_the_main_loop_are_told_by_what_they_lack() -> None:
    asking = session_request()
    assert not is_side_request(body(), asking)
    assert is_side_request(body(tools=[]), asking)
    assert is_side_request(body(max_tokens=1), asking)
    assert not is_side_request(body(tools=[]), session_request(tools=()))
