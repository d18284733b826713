import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.agents.rehearsal.schema import FloodFault, PaceTable, UsageTable
from orchestrator_tui.agents.rehearsal.stream import Reply, ToolCall, error_body, events, message
from tests.rehearsal.support import parse, text_of


def reply(**parts: Any) -> Reply:
    return Reply(message_id="msg_1", model="m", usage=UsageTable(input_tokens=7, output_tokens=5), **parts)


def sent(given_reply: Reply, **pace: Any) -> list[dict[str, Any]]:
    return parse(b"".join(event.encode() for event in events(given_reply, PaceTable(**pace))).decode())


def test_an_answer_of_text_and_a_tool_call_comes_in_the_order_of_the_api() -> None:
    got = sent(reply(text="hello", tool=ToolCall("toolu_1", "Bash", {"command": "ls"})))
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert [event["type"] for event in got] == [
        "message_start", "ping", *block, *block, "message_delta", "message_stop",
    ]  # fmt: skip
    assert got[0]["message"]["usage"]["input_tokens"] == 7
    assert got[5]["content_block"] == {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
    assert [event["index"] for event in got[2:8]] == [0, 0, 0, 1, 1, 1]
    assert got[-2]["delta"]["stop_reason"] == "tool_use"
    assert got[-2]["usage"] == {"output_tokens": 5}


def test_an_answer_without_a_tool_call_ends_the_turn() -> None:
    assert sent(reply(text="hello"))[-2]["delta"]["stop_reason"] == "end_turn"


@given(text=st.text(min_size=1), size=st.integers(1, 30), argument=st.text())
def test_the_deltas_add_up_to_what_was_said(text: str, size: int, argument: str) -> None:
    tool = ToolCall("toolu_1", "Write", {"content": argument})
    got = sent(reply(text=text, tool=tool), delta_characters=size)
    assert text_of(got) == text
    deltas = [event["delta"] for event in got if event["type"] == "content_block_delta"]
    assert all(len(delta.get("text", "")) <= size for delta in deltas)
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"content": argument}


def test_a_flood_is_a_text_of_its_own_with_as_many_deltas_as_asked() -> None:
    got = sent(reply(text="after", flood=FloodFault(kind="flood", deltas=50, characters=9)))
    flood = [event["delta"]["text"] for event in got if event["type"] == "content_block_delta" and event["index"] == 0]
    assert [len(text) for text in flood] == [9] * 50
    assert text_of(got).endswith("after")


def test_one_message_holds_the_same_as_the_stream() -> None:
    whole = message(reply(text="hello", tool=ToolCall("toolu_1", "Bash", {"command": "ls"})))
    assert whole["content"] == [
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
    ]
    assert (whole["stop_reason"], whole["usage"]["output_tokens"]) == ("tool_use", 5)


def test_errors_carry_the_type_the_api_gives_their_status() -> None:
    types = {status: error_body(status, "x", "req_1")["error"]["type"] for status in (400, 401, 404, 429, 500, 529)}
    assert types == {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
        429: "rate_limit_error",
        500: "api_error",
        529: "overloaded_error",
    }
