import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from orchestrator_tui.agents.rehearsal.server import RehearsalServer
from orchestrator_tui.domain.statuses import PhaseName
from tests.rehearsal.support import (
    DONE,
    answer,
    assistant,
    body,
    call,
    client,
    parse,
    scenario,
    session_request,
    text_of,
    user,
)
from tests.rehearsal.support import result as tool_result

HELLO = {"say": "hello there, this is a text of some length", "tool": "Bash", "input": {"command": "ls"}}


def server_with(*turns: dict[str, Any], **more: Any) -> RehearsalServer:
    return RehearsalServer(scenario(answer(*turns), **more))


def faulty(kind: str, **fields: Any) -> dict[str, Any]:
    return {**HELLO, "fault": {"kind": kind, **fields}}


@asynccontextmanager
async def talking(*turns: dict[str, Any], **more: Any) -> AsyncIterator[tuple[RehearsalServer, httpx.AsyncClient]]:
    async with server_with(*turns, **more) as server, client(server) as api:
        yield server, api


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nothing tells when a task of the server ends
            await asyncio.sleep(0.001)


def task_names() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def ask(api: httpx.AsyncClient, *messages: dict[str, Any], **more: Any) -> httpx.Response:
    return await api.post("/v1/messages?beta=true", json=body(*messages, **more))


async def test_a_turn_streams_its_text_and_its_tool_call() -> None:
    async with talking(HELLO) as (server, api):
        response = await ask(api)
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["request-id"].startswith("req_")
        assert text_of(parse(response.text)) == HELLO["say"]
        record = server.requests[-1]
        assert (record.session, record.role, record.status, record.kind) == ("agent-1", "developer", 200, "turn")


async def test_each_answer_in_the_history_moves_on_by_a_turn_and_then_it_is_done() -> None:
    async with talking({"say": "one"}, {"say": "two"}) as (server, api):
        history = [user("go")]
        said = []
        for number in range(3):
            said.append(text_of(parse((await ask(api, *history)).text)))
            history += [assistant(call(call_id=f"t{number}")), user(tool_result(f"t{number}"))]
        assert said == ["one", "two", "Done."]
        assert [record.kind for record in server.requests] == ["turn", "turn", "done"]


async def test_a_request_without_stream_is_answered_with_one_message() -> None:
    async with talking(HELLO) as (_, api):
        whole = (await ask(api, stream=False)).json()
        assert [block["type"] for block in whole["content"]] == ["text", "tool_use"]
        request = body()
        del request["stream"]
        assert (await api.post("/v1/messages", json=request)).json()["stop_reason"] == "tool_use"


async def test_only_the_token_opens_the_door() -> None:
    async with talking(HELLO) as (server, api):
        token = api.headers["x-api-key"]
        for headers in ({"x-api-key": "wrong"}, {"x-api-key": "é"}, {"x-api-key": "", "authorization": "Bearer no"}):
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            refused = await api.post("/v1/messages", json=body(), headers=raw)
            assert refused.status_code == 401
            assert refused.json()["error"]["type"] == "authentication_error"
        allowed = {"x-api-key": "", "authorization": f"Bearer {token}"}
        assert (await api.post("/v1/messages", json=body(), headers=allowed)).status_code == 200
        assert [record.kind for record in server.requests] == ["unauthorized"] * 3 + ["turn"]


async def test_an_unknown_session_and_an_unknown_path_are_not_found() -> None:
    async with talking(HELLO) as (server, api):
        stranger = await api.post(f"{server.endpoint.url}/s/nobody/v1/messages", json=body())
        assert (stranger.status_code, stranger.json()["error"]["type"]) == (404, "not_found_error")
        assert server.requests[-1].kind == "unknown session"
        assert (await api.get("/v1/models")).json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"messages": 3}', b'{"messages": [3]}'])
async def test_a_malformed_body_is_refused(content: bytes) -> None:
    async with talking(HELLO) as (_, api):
        response = await api.post("/v1/messages", content=content)
        assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_a_session_nobody_wrote_an_answer_for_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    async with server_with(HELLO) as server:
        request = session_request(phase=PhaseName.DEPLOY, role="deployer", subject="")
        async with client(server, request) as api:
            response = await ask(api)
    expected = "the scenario small has no answer for deploy/deployer attempt 1"
    assert (response.status_code, response.json()["error"]["message"]) == (400, expected)
    assert expected in caplog.messages


async def test_side_requests_get_a_plain_answer() -> None:
    async with talking(HELLO) as (server, api):
        assert text_of(parse((await ask(api, max_tokens=1)).text)) == "OK"
        assert (await ask(api, tools=[], stream=False)).json()["stop_reason"] == "end_turn"
        assert {record.kind for record in server.requests} == {"side"}


async def test_the_cli_may_count_tokens_and_ask_whether_anybody_is_there() -> None:
    async with talking(HELLO) as (server, api):
        counted = await api.post("/v1/messages/count_tokens", json=body())
        assert counted.json()["input_tokens"] > 10
        for path in (server.endpoint.url, str(api.base_url)):
            assert (await api.head(path)).status_code == 200
            assert (await api.get(path)).status_code == 200


async def test_an_http_error_comes_as_often_as_written_then_the_turn() -> None:
    fault = faulty("status", status=429, times=2, retry_after=1.5)
    async with talking(fault) as (server, api):
        first = await ask(api)
        assert (first.status_code, first.headers["retry-after"]) == (429, "1.5")
        assert first.json()["error"]["type"] == "rate_limit_error"
        assert [(await ask(api)).status_code for _ in range(3)] == [429, 200, 200]
        async with client(server) as another:
            assert (await ask(another)).status_code == 429


async def test_a_cut_stream_breaks_after_its_deltas_and_the_next_one_is_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talking(faulty("cut", after_deltas=1), pace={"delta_characters": 5}) as (_, api):
        got = b""
        with pytest.raises(httpx.RemoteProtocolError):
            async with api.stream("POST", "/v1/messages", json=body()) as response:
                async for part in response.aiter_bytes():
                    got += part
        assert text_of(parse(got.decode())) == "hello"
        assert text_of(parse((await ask(api)).text)) == HELLO["say"]
    assert not [record for record in caplog.records if record.name.startswith("uvicorn") and record.levelname != "INFO"]


async def test_a_cut_without_stream_breaks_before_the_first_byte() -> None:
    async with talking(faulty("cut")) as (_, api):
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(api, stream=False)
        assert (await ask(api, stream=False)).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_garbage_cannot_be_parsed(stream: bool) -> None:
    async with talking(faulty("garbage")) as (_, api):
        response = await ask(api, stream=stream)
        with pytest.raises(ValueError):
            parse(response.text) if stream else response.json()
        assert (await ask(api)).text.endswith('{"type": "message_stop"}\n\n')


@pytest.mark.parametrize("place", [{}, {"after_deltas": 1}, {"after_deltas": 1000}])
async def test_a_stalled_answer_goes_on_after_its_time(place: dict[str, int]) -> None:
    async with talking(faulty("stall", seconds=0.05, **place)) as (server, api):
        started = time.monotonic()
        assert text_of(parse((await ask(api)).text)) == HELLO["say"]
        assert time.monotonic() - started >= 0.05
        assert server.requests[-1].kind == "stall"


async def test_a_flood_arrives_whole() -> None:
    async with talking({**HELLO, "fault": {"kind": "flood", "deltas": 5000, "characters": 8}}) as (_, api):
        assert len(text_of(parse((await ask(api)).text))) == 5000 * 8 + len(HELLO["say"])


async def test_text_is_typed_at_the_pace_of_the_scenario() -> None:
    async with talking({"say": "x" * 40}, pace={"delta_characters": 10, "delta_seconds": 0.02}) as (_, api):
        started = time.monotonic()
        await ask(api)
        assert time.monotonic() - started >= 0.08


@pytest.mark.parametrize("place", [{}, {"after_deltas": 1}])
async def test_closing_ends_stalled_streams_at_once_and_leaves_no_task(place: dict[str, int]) -> None:
    before = asyncio.all_tasks()
    async with talking(faulty("stall", seconds=3600, **place)) as (server, api):
        asking = asyncio.create_task(ask(api))
        await until(lambda: bool(server.requests))
        async with asyncio.timeout(10):
            await server.__aexit__(None, None, None)
        with pytest.raises(httpx.HTTPError):
            await asking
    assert asyncio.all_tasks() == before


async def test_a_stalled_stream_ends_when_its_client_leaves() -> None:
    async with talking(faulty("stall", seconds=3600, after_deltas=1)) as (_, api):
        async with api.stream("POST", "/v1/messages", json=body()) as response:
            await anext(response.aiter_bytes())
            assert "rehearsal-playback" in task_names()
        await until(lambda: "rehearsal-playback" not in task_names())


async def test_closing_does_not_wait_for_a_client_that_never_sends_its_body(caplog: pytest.LogCaptureFixture) -> None:
    async with server_with(HELLO) as server:
        port = int(server.endpoint.url.rsplit(":", 1)[1])
        environment = server.endpoint.environment(session_request())
        path = environment["ANTHROPIC_BASE_URL"].removeprefix(server.endpoint.url)
        head = f"POST {path}/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {environment['ANTHROPIC_API_KEY']}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}content-length: 10\r\n\r\n{{".encode())
        await writer.drain()
        await until(lambda: any("RequestResponseCycle.run_asgi" in repr(task) for task in asyncio.all_tasks()))
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert not caplog.records


async def test_the_server_leaves_signals_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with server_with(HELLO):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_the_endpoint_is_there_only_while_the_server_is_open() -> None:
    server = server_with(HELLO)
    with pytest.raises(RuntimeError, match="async with"):
        _ = server.endpoint
    async with server:
        assert server.endpoint.scripted


async def test_every_session_has_a_path_of_its_own_and_no_credentials_but_ours() -> None:
    async with server_with(DONE) as server:
        first, second = (server.endpoint.environment(session_request()) for _ in range(2))
        assert first["ANTHROPIC_BASE_URL"] != second["ANTHROPIC_BASE_URL"]
        assert first["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
        assert first["ANTHROPIC_AUTH_TOKEN"] == first["CLAUDE_CODE_OAUTH_TOKEN"] == ""
        assert len(first["ANTHROPIC_API_KEY"]) > 24


async def test_the_list_of_requests_is_bounded() -> None:
    async with server_with(DONE) as server:
        assert server.requests.maxlen == 2000
