import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator_tui.api.app import document, make_app
from orchestrator_tui.api.base import Limits
from orchestrator_tui.domain.access import Scope
from tests.api.serving import Served, served

JSON = {"Content-Type": "application/json"}
VALUES = {"commit": "abcdef12"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "home") as it:
        yield it


def operations(it: Served) -> list[tuple[str, str, str]]:
    """Every route there is: method, path with something in place of its parameters, and what it says it needs."""
    found = [("get", "/openapi.json", "read")]
    for path, methods in document(make_app(it.house))["paths"].items():
        for method, described in methods.items():
            names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
            filled = path.format(**{name: VALUES.get(name, "nothing") for name in names})
            found.append((method, filled, described["x-scope"]))
    return found


async def status(http: httpx.AsyncClient, method: str, path: str) -> tuple[int, str]:
    """How a request is answered; nothing of a stream is waited for."""
    body: dict[str, Any] = {"content": b"{}", "headers": JSON} if method == "post" else {}
    async with http.stream(method.upper(), path, **body) as response:
        media_type = response.headers.get("content-type", "")
        return response.status_code, media_type


async def test_every_route_lets_in_who_may_and_nobody_else(tmp_path: Path) -> None:
    # There are more routes than one address may be refused in a minute.
    async with served(tmp_path / "home", limits=Limits(failures_per_minute=10_000)) as site:
        await check_every_route(site)


async def check_every_route(site: Served) -> None:
    routes = operations(site)
    assert len(routes) > 25
    for method, path, wanted in routes:
        async with site.http(None) as http:
            assert (await status(http, method, path))[0] == (401 if wanted != "none" else 200), path
        for scope in Scope:
            async with site.http(scope) as http:
                code, media_type = await status(http, method, path)
            allowed = wanted == "none" or scope.allows(Scope(wanted))
            assert (code in (401, 403)) is not allowed, (method, path, scope, code)
            assert code < 500, (method, path, scope, code)
            assert code < 400 or media_type == "application/problem+json", (path, code, media_type)


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Bearer orch_000000000000_" + "A" * 43},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer ü".encode()},
        {"Authorization": "Basic YTpi"},
        {"Cookie": "token=x"},
        {},
    ],
)
async def test_whoever_shows_no_token_of_ours_gets_nothing(site: Served, header: dict[str, str]) -> None:
    async with site.http(None) as http:
        answer = await http.get("/projects", headers=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_right_id_with_another_secret_is_no_token_nor_is_one_in_the_address(site: Served) -> None:
    token = site.tokens[Scope.ADMIN]
    async with site.http(None) as http:
        forged = {"Authorization": f"Bearer {token[:-4]}AAAA"}
        assert (await http.get("/projects", headers=forged)).status_code == 401
        assert (await http.get("/projects", params={"token": token, "access_token": token})).status_code == 401


async def test_a_revoked_token_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http(Scope.READ) as http:
        await it.ledger.revoke_token(it.tokens[Scope.READ].split("_")[1])
        assert (await http.get("/projects")).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1.evil.example:80", ""])
async def test_another_name_for_the_server_is_refused_even_with_a_token(site: Served, host: str) -> None:
    async with site.http() as http:
        answer = await http.get("/projects", headers={"Host": host})
        assert answer.status_code == 421
        assert (await http.get("/health", headers={"Host": host})).status_code == 421


async def test_two_names_at_once_are_refused(site: Served) -> None:
    reader, writer = await asyncio.open_connection(*site.host.split(":"))
    writer.write(f"GET /health HTTP/1.1\r\nHost: {site.host}\r\nHost: {site.host}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] in (b"400", b"421")
    writer.close()


async def test_a_foreign_page_is_refused_and_told_nothing_about_sharing(site: Served) -> None:
    foreign: list[dict[str, str]] = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    async with site.http() as http:
        for headers in foreign:
            answer = await http.post("/projects/1/stop", json={}, headers=headers)
            assert answer.status_code == 403, headers
            assert not [name for name in answer.headers if name.startswith("access-control")]
        preflight = await http.options("/projects", headers={"Origin": site.origin, **JSON})
        assert preflight.status_code == 405
        assert (await http.get("/projects", headers={"Origin": site.origin})).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_write_that_is_no_json_is_refused(site: Served, kind: str) -> None:
    async with site.http() as http:
        answer = await http.post("/projects", content=b'{"idea": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert await site.engine.projects() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"idea"',
        b"\xff\xfe",
        b'{"idea": "\\ud800"}',
        b'{"idea": 3}',
        b'{"idea": "x", "y": 1}',
    ],
)
async def test_a_malformed_body_is_refused_and_nothing_is_made(site: Served, body: bytes) -> None:
    async with site.http() as http:
        answer = await http.post("/projects", content=body, headers=JSON)
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert await site.engine.projects() == []


async def test_deeply_nested_json_is_refused(site: Served) -> None:
    async with site.http() as http:
        body = b'{"idea":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        assert (await http.post("/projects", content=body, headers=JSON)).status_code in (400, 422)
    deep = b'{"settings":' + b'{"a":[' * 300 + b"1" + b"]}" * 300 + b"}"
    async with site.http(Scope.OPERATE) as http:
        for path, head in (("/projects", b""), ("/commands", b'"type":"CreateProject",')):
            body = b"{" + head + b'"idea":"x","config":' + deep + b"}"
            answer = await http.post(path, content=body, headers=JSON)
            assert (answer.status_code, "nested" in answer.json()["detail"]) == (422, True), path


async def test_a_body_that_grows_too_large_is_refused(site: Served) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(45):
            yield b" " * 50_000

    async with site.http() as http:
        # Who is still sending when the answer comes may only see that the connection ends.
        with suppress(httpx.TransportError):
            assert (await http.post("/projects", content=pieces(), headers=JSON)).status_code == 413
        assert await site.engine.projects() == []
        assert (await http.get("/health")).status_code == 200


async def test_a_size_that_is_too_large_is_refused_before_anything_is_sent(site: Served) -> None:
    reader, writer = await asyncio.open_connection(*site.host.split(":"))
    head = f"POST /projects HTTP/1.1\r\nHost: {site.host}\r\nAuthorization: Bearer {site.tokens[Scope.ADMIN]}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 2000001\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_texts_have_a_length(site: Served) -> None:
    async with site.http() as http:
        assert (await http.post("/projects", json={"idea": "x", "name": "n" * 4_001})).status_code == 422
        assert (await http.post("/projects", json={"idea": "x" * 400_001})).status_code == 422
        assert (await http.post("/projects", json={"idea": "x" * 100_001})).status_code == 422
        assert (await http.get("/projects/" + "x" * 201)).status_code == 422


async def test_a_body_must_arrive_in_time(tmp_path: Path) -> None:
    async with served(tmp_path / "home", limits=Limits(body_seconds=0.2)) as it:
        reader, writer = await asyncio.open_connection(*it.host.split(":"))
        head = f"POST /projects HTTP/1.1\r\nHost: {it.host}\r\nAuthorization: Bearer {it.tokens[Scope.ADMIN]}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_body_that_comes_byte_by_byte_must_be_whole_in_time(tmp_path: Path) -> None:
    async with served(tmp_path / "home", limits=Limits(body_seconds=0.5, header_seconds=0.5)) as it:
        # Nobody needs a token there.
        head = f"POST /webhooks/linear HTTP/1.1\r\nHost: {it.host}\r\nContent-Type: application/json\r\n"
        assert b" 408 " in await dribbled(it, f"{head}Content-Length: 1000000\r\n\r\n".encode())


async def test_who_goes_on_sending_after_the_answer_is_hung_up_on(tmp_path: Path) -> None:
    async with served(tmp_path / "home", limits=Limits(header_seconds=1)) as it:
        head = f"POST /projects HTTP/1.1\r\nHost: {it.host}\r\nContent-Type: application/json\r\n"
        assert b" 401 " in await dribbled(it, f"{head}Content-Length: 1000000\r\n\r\n".encode())


async def test_the_head_of_every_request_must_come_in_time(tmp_path: Path) -> None:
    async with served(tmp_path / "home", limits=Limits(header_seconds=1)) as it:
        health = f"GET /health HTTP/1.1\r\nHost: {it.host}\r\n".encode()
        assert b" 200 " in await dribbled(it, health + b"\r\n" + health + b"X: ")


async def dribbled(site: Served, beginning: bytes) -> bytes:
    """What is answered, until the connection is closed, to somebody who goes on sending byte by byte."""
    reader, writer = await asyncio.open_connection(*site.host.split(":"))
    writer.write(beginning)

    async def send() -> None:
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    answer = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(1_000):
            answer += piece
    await sending
    writer.close()
    return bytes(answer)


async def test_a_connection_that_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    async with served(tmp_path / "home", limits=Limits(header_seconds=0.2)) as it:
        reader, writer = await asyncio.open_connection(*it.host.split(":"))
        writer.write(b"GET /health HTTP/1.1\r\nHost: ")
        assert await reader.read() == b""
        writer.close()


async def test_who_asks_too_often_waits_and_who_guesses_too(tmp_path: Path) -> None:
    limits = Limits(per_second=0.01, burst=3, failures_per_minute=2)
    async with served(tmp_path / "home", limits=limits) as it:
        async with it.http() as http:
            codes = [(await http.get("/projects")).status_code for _ in range(5)]
            assert codes == [200, 200, 200, 429, 429]
            refused = await http.get("/projects")
            assert int(refused.headers["retry-after"]) >= 1
        async with it.http(None) as http:
            codes = [(await http.get("/projects")).status_code for _ in range(4)]
            assert codes == [401, 401, 429, 429]
            assert (await http.get("/health")).status_code == 200
        # Whoever has a token is not kept out by those who guess.
        async with it.http(Scope.READ) as http:
            assert (await http.get("/projects")).status_code == 200


async def test_what_is_answered_is_kept_nowhere_and_is_what_it_says(site: Served) -> None:
    async with site.http() as http:
        for path in ("/health", "/projects", "/nothing"):
            headers = (await http.get(path)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers and "set-cookie" not in headers
