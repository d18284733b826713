import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError
from yarl import URL

from orchestrator_tui import cli
from orchestrator_tui.config.address import address_of, check_host, check_public_url, listen
from orchestrator_tui.domain.errors import ServeFailed, UsageError
from orchestrator_tui.web import tab
from orchestrator_tui.web.serve import dashboard_command
from tests.tui.serving import ROOT, SERVE, Lives, OpenTab, Program, Site, opened, program, site


@pytest.fixture
async def lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lives]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    async with Lives(tmp_path / "lives") as lives:
        yield lives


@pytest.fixture
async def served(lives: Lives) -> AsyncIterator[Site]:
    async with site(lives.command) as served:
        yield served


async def status(served: Site, path: str = "/", **headers: str) -> int:
    async with served.client.get(served.url(path), headers=headers) as answer:
        return answer.status


async def raw_status(served: Site, path: str) -> int:
    """The answer to a path that no client would send as it is."""
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in served.client.cookie_jar)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.address.port)
    host = served.address.origin.removeprefix("http://")
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1])


async def test_the_printed_address_opens_the_page_and_leaves_no_token_in_it(served: Site) -> None:
    async with served.client.get(served.entrance) as answer:
        assert (answer.status, str(answer.url)) == (200, f"{served.address.origin}/")
        assert "token" not in await answer.text()


async def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_can_use(served: Site) -> None:
    async with served.client.get(served.entrance, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert str(served.address.port) in cookie.key


@pytest.mark.parametrize("path", ["/", "/static/js/textual.js", "/page/page.js", "/download/x", "/ws", "/nothing"])
async def test_without_the_token_nothing_is_answered(served: Site, path: str) -> None:
    assert await status(served, path, Origin=served.address.origin) == 403


@pytest.mark.parametrize("token", ["", "wrong", "w%C3%B6rong", "%ff", "x" * 5000])
async def test_a_wrong_token_is_refused_and_gives_no_cookie(served: Site, token: str) -> None:
    async with served.client.get(served.url(f"/?token={token}")) as answer:
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


async def test_the_token_is_taken_at_the_front_page_only(served: Site) -> None:
    token = URL(served.entrance).query["token"]
    assert await status(served, f"/page/page.js?token={token}") == 403


async def test_a_made_up_cookie_is_refused(served: Site) -> None:
    assert await status(served, Cookie=f"orchestrator-{served.address.port}=wrong") == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:{port}", "[::1]:{port}"]
)
async def test_another_host_is_refused_even_with_the_cookie(served: Site, host: str) -> None:
    await served.enter()
    assert await status(served, Host=host.format(port=served.address.port)) == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
async def test_a_foreign_page_may_open_neither_a_websocket_nor_anything_else(served: Site, origin: str) -> None:
    await served.enter()
    origin = origin.format(port=served.address.port)
    assert await status(served, Origin=origin) == 403
    with pytest.raises(WSServerHandshakeError, match="403"):
        await served.client.ws_connect(served.url("/ws"), origin=origin)


async def test_a_websocket_needs_an_origin(served: Site) -> None:
    await served.enter()
    with pytest.raises(WSServerHandshakeError, match="403"):
        await served.client.ws_connect(served.url("/ws"))


async def test_a_websocket_needs_the_cookie(served: Site) -> None:
    with pytest.raises(WSServerHandshakeError, match="403"):
        await served.client.ws_connect(served.url("/ws"), origin=served.address.origin)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fserver.py",
        "/static/js/../../server.py",
        "/page/../guard.py",
        "/page/..%2fguard.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "//etc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_folders_that_are_served(served: Site, path: str) -> None:
    await served.enter()
    assert await raw_status(served, "/page/page.js") == 200
    assert await raw_status(served, path) in (403, 404)


@pytest.mark.parametrize("folder", ["/static", "/static/", "/static/js", "/static/js/", "/page/"])
async def test_folders_are_not_listed(served: Site, folder: str) -> None:
    await served.enter()
    assert await raw_status(served, folder) in (403, 404)


async def test_the_page_may_load_nothing_from_anywhere_else(served: Site) -> None:
    await served.enter()
    async with served.client.get(served.url("/")) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy and "script-src 'self';" in policy
    assert f"connect-src 'self' ws://127.0.0.1:{served.address.port}" in policy
    assert "//" not in text.replace(served.address.websocket_origin, "")
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_what_is_downloaded_can_run_nothing(served: Site) -> None:
    await served.enter()
    async with served.client.get(served.url("/download/unknown")) as answer:
        assert answer.status == 404
        assert answer.headers["Content-Security-Policy"].endswith("; sandbox")


@pytest.mark.parametrize(("asked", "given"), [("20", "20"), ("1", "6"), ("9000", "64"), ("<b>", "16")])
async def test_the_font_s_size_can_be_chosen_within_reason(served: Site, asked: str, given: str) -> None:
    await served.enter()
    async with served.client.get(served.url("/").with_query(fontsize=asked)) as answer:
        assert f'data-font-size="{given}"' in await answer.text()


async def test_behind_a_proxy_only_the_public_address_counts(lives: Lives) -> None:
    async with site(lives.command, "https://dash.example") as served:
        token = URL(served.entrance)
        assert str(token.origin()) == "https://dash.example"
        own = served.server.guard.entrance.replace("https://dash.example", f"http://127.0.0.1:{served.address.port}")
        async with served.client.get(own, headers={"Host": "dash.example"}, allow_redirects=False) as answer:
            (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        assert cookie["secure"] is True
        page = URL(f"http://127.0.0.1:{served.address.port}/")
        headers = {"Cookie": f"{cookie.key}={cookie.value}", "Host": "dash.example"}
        async with served.client.get(page, headers=headers) as answer:
            assert 'data-session-websocket-url="wss://dash.example/ws"' in await answer.text()
        async with served.client.get(page, headers=headers | {"Origin": str(page.origin())}) as answer:
            assert answer.status == 403


async def test_what_is_typed_reaches_the_app_and_what_it_draws_comes_back(served: Site) -> None:
    await served.enter()
    async with served.tab() as one:
        await one.until("Say")
        await one.type("héllo")
        await one.until("said: héllo")
        await one.socket.send_json(["resize", {"width": 61, "height": 17}])
        await one.until("61 by 17")


async def test_what_makes_no_sense_leaves_the_tab_alone(served: Site) -> None:
    await served.enter()
    async with served.tab() as one:
        await one.until("Say")
        for nonsense in (
            "{",
            "[]",
            '"x"',
            '["stdin", 3]',
            '["resize", {"width": "a"}]',
            '["what", 1]',
            '["stdin", "\\ud800"]',
        ):
            await one.socket.send_str(nonsense)
        await one.socket.send_bytes(b"\xff")
        await one.socket.send_json(["resize", {"width": 10**9, "height": 17}])
        await one.until("1000 by 17")


async def test_closing_a_tab_lets_its_dashboard_save_its_state(served: Site, lives: Lives) -> None:
    await served.enter()
    async with served.tab():
        assert await lives.next() == "started"
    assert await lives.rest() == ["saved"]


async def test_a_tab_that_breaks_off_lets_its_dashboard_save_its_state(served: Site, lives: Lives) -> None:
    await served.enter()
    async with served.tab():
        assert await lives.next() == "started"
        await served.client.close()
        assert await lives.rest() == ["saved"]


async def test_a_dashboard_that_is_left_closes_its_tab(served: Site, lives: Lives) -> None:
    await served.enter()
    async with served.tab() as one:
        await one.until("Say")
        await one.type("/quit\r")
        await one.until_closed()
    assert "its state is being saved" in one.output
    assert await lives.rest() == ["started", "saved"]


async def test_the_last_words_of_a_dashboard_that_breaks_are_shown_as_plain_text(served: Site) -> None:
    await served.enter()
    async with served.tab() as one:
        await one.until("Say")
        await one.type("/crash\r")
        await one.until_closed()
    assert one.output.endswith("\x1b[Hbroken on [31mpurpose[0m")


async def test_only_web_pages_are_opened_in_the_browser(served: Site, lives: Lives) -> None:
    await served.enter()
    async with served.tab() as one:
        assert await lives.next() == "started"
        for link in ("javascript:alert(1)", "file:///etc/passwd", "https://example.org/"):
            await one.type(f"/link {link}\r")
            assert await lives.next() == "linked"
        await one.type("/quit\r")
        await one.until_closed()
    assert "https://example.org/" in one.told
    assert "javascript" not in one.told and "file" not in one.told


async def test_a_dashboard_that_hangs_is_killed_in_the_end(
    served: Site, lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab, "STOP_SECONDS", 0.1)
    await served.enter()
    async with served.tab() as one:
        await one.until("Say")
        await one.type("/hang\r")
        assert [await lives.next(), await lives.next()] == ["started", "hangs"]
    assert await lives.rest() == []


async def test_a_tab_that_takes_nothing_does_not_hold_its_dashboard_up(
    served: Site, lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab, "SLOW_SECONDS", 0.2)
    await served.enter()
    async with served.tab() as one:
        await one.until("Say")
        await one.type("/flood\r")
        # Nothing is read any more.
        assert await lives.rest() == ["started", "saved"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_ending_the_server_lets_every_dashboard_save_its_state(
    lives: Lives, tmp_path: Path, number: signal.Signals
) -> None:
    async with program("-c", SERVE, *lives.command, home=tmp_path) as running, tabs_of(running) as open_tab:
        async with open_tab() as one, open_tab() as two:
            await one.until("Say")
            await two.until("Say")
            running.process.send_signal(number)
            await asyncio.gather(one.until_closed(), two.until_closed())
        assert await lives.rest() == ["started", "started", "saved", "saved"]
        _, told = await running.process.communicate()
    assert running.process.returncode == 0
    assert told.decode() == (
        "orchestrator-tui: Ending once every dashboard has saved its state; Ctrl+C again leaves at once.\n"
    )


@pytest.mark.parametrize("killed", [False, True])
async def test_no_dashboard_outlives_a_server_that_leaves_at_once(lives: Lives, tmp_path: Path, killed: bool) -> None:
    async with program("-c", SERVE, *lives.command, home=tmp_path) as running, tabs_of(running) as open_tab:
        async with open_tab() as one:
            await one.until("Say")
            for number in [signal.SIGKILL] if killed else [signal.SIGINT, signal.SIGINT]:
                running.process.send_signal(number)
            await one.until_closed()
        assert await lives.rest() == ["started", "saved"]


@asynccontextmanager
async def tabs_of(running: Program) -> AsyncIterator[Callable[[], AbstractAsyncContextManager[OpenTab]]]:
    """Opens tabs on a server in another process."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        async with client.get(running.entrance) as answer:
            assert answer.status == 200
        yield lambda: opened(client, running.origin)


def run(*arguments: str, home: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """The program to its end, with code that runs before it."""
    code = f"{before}\nimport sys; from orchestrator_tui.__main__ import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=home,
        env={"PATH": os.environ["PATH"], "ORCHESTRATOR_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_the_extra_the_program_says_how_to_install_it(tmp_path: Path) -> None:
    done = run("--web", "--port", "0", home=tmp_path, before="import sys; sys.modules['textual_serve'] = None")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        'orchestrator-tui: Web: textual-serve is not installed. Install it with: pip install "orchestrator-tui[web]"\n'
    )


def test_a_port_in_use_is_told_with_a_way_out(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = run("--web", "--port", str(port), home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"orchestrator-tui: Server: Port {port} of 127.0.0.1 is in use. "
        "Choose another one with --port; --port 0 takes any that is free.\n"
    )


def test_settings_that_cannot_be_used_are_told_before_anything_is_served(tmp_path: Path) -> None:
    done = run("--web", "--port", "0", "--set", "autonomy.mode=never", home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "autonomy.mode" in done.stderr


async def test_the_program_prints_one_line_and_warns_of_nothing_on_this_machine(tmp_path: Path) -> None:
    async with program("-m", "orchestrator_tui", "--web", "--port", "0", home=tmp_path) as running:
        running.process.send_signal(signal.SIGINT)
        assert await running.process.communicate() == (b"", b"")
        assert running.process.returncode == 0


async def test_serving_beyond_this_machine_warns(tmp_path: Path) -> None:
    arguments = ("--web", "--port", "0", "--host", "0.0.0.0", "--public-url", "http://dash.example:9000")
    async with program("-m", "orchestrator_tui", *arguments, home=tmp_path) as running:
        assert running.origin == "http://dash.example:9000"
        running.process.send_signal(signal.SIGINT)
        _, told = await running.process.communicate()
    assert b"can drive the engine" in told and b"not encrypted" in told


def test_a_name_that_is_not_of_this_machine_is_told_in_words() -> None:
    with pytest.raises(ServeFailed, match=r"^Nothing can listen at 203\.0\.113\.5, port 9: [\w ]+\.$"):
        listen("203.0.113.5", 9)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", " "])
def test_every_address_of_this_machine_needs_the_one_that_browsers_use(host: str) -> None:
    with pytest.raises(UsageError):
        check_host(host, None)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://localhost:9000", "http://localhost:9000"),
        ("https://Dash.Example/", "https://dash.example"),
        ("https://dash.example:443", "https://dash.example"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_a_public_address_is_taken_as_browsers_write_it(url: str, origin: str) -> None:
    assert check_public_url(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "dash.example",
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://u@a",
        "http://a:x",
        "http://ä",
        "//a",
    ],
)
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--public-url"):
        check_public_url(url)


@pytest.mark.parametrize(
    ("host", "public", "local"),
    [
        ("127.0.0.1", None, True),
        ("127.0.0.1", "http://localhost:9000", True),
        ("127.0.0.1", "https://dash.example", False),
        ("0.0.0.0", "http://localhost:9000", False),
    ],
)
def test_only_what_this_machine_alone_reaches_counts_as_local(host: str, public: str | None, local: bool) -> None:
    with listen(host, 0) as listening:
        assert address_of(listening, host, public).local is local


def test_a_tab_s_dashboard_gets_the_options_of_the_server() -> None:
    arguments = ["--config=-x y.toml", "--set=a.b=--c; rm -rf ~", "--set=-d=$(e)", "--model=m", "--rehearsal=a'b"]
    served = cli.parse(["--web", *arguments])
    assert isinstance(served, cli.ServeWeb)
    start = cli.parse(cli.dashboard_arguments(served))
    assert isinstance(start, cli.StartProject)
    assert (start.options, start.rehearsal) == (served.options, "a'b")
    assert dashboard_command(served)[:4] == [sys.executable, "-P", "-m", "orchestrator_tui"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "1"],
        ["--host", "localhost"],
        ["--public-url", "http://a"],
        ["--web", "--port", "65536"],
        ["--web", "--port", "-1"],
        ["--web", "--port", "x"],
        ["--web", "--idea", "a"],
        ["--web", "--resume"],
        ["--web", "--status"],
        ["--web", "--approve"],
        ["--web", "--json"],
    ],
)
def test_arguments_that_contradict_a_server_are_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        cli.parse(arguments)
