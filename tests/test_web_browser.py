import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from tests.browser import CONTROL, Browser, Page, find_browser, open_browser
from tests.tui.serving import SERVE, Lives, Program, program

CHROMIUM = find_browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine")

PROMPT = "Describe what to build"
ENDED = "getComputedStyle(document.querySelector('.ended')).display === 'block'"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM is not None
    async with open_browser(CHROMIUM, tmp_path / "profile") as browser:
        yield browser


@pytest.fixture
async def dashboard(tmp_path: Path) -> AsyncIterator[Program]:
    (tmp_path / "home").mkdir()
    async with program("-m", "orchestrator_tui", "--web", "--port", "0", home=tmp_path / "home") as dashboard:
        yield dashboard


async def opened(browser: Browser, url: str, words: str) -> Page:
    page = await browser.new_page()
    await page.go(url)
    await page.until_screen_has(words)
    return page


async def test_the_dashboard_is_led_by_the_keyboard_in_a_browser_and_asks_no_other_host_for_anything(
    browser: Browser, dashboard: Program
) -> None:
    page = await opened(browser, dashboard.entrance, PROMPT)
    await page.type("a link checker")
    await page.until_screen_has("› a link checker")
    await page.press("p", CONTROL)
    await page.until_screen_has("/projects")
    assert {URL(url).authority for url in page.requests} == {URL(dashboard.origin).authority}
    assert page.complaints == []
    assert await page.evaluate("location.href") == f"{dashboard.origin}/"
    assert await page.evaluate("document.cookie") == ""

    dashboard.process.send_signal(signal.SIGINT)
    await page.until(ENDED)
    await dashboard.process.communicate()
    assert dashboard.process.returncode == 0


async def test_the_dashboard_follows_the_size_of_the_window(browser: Browser, dashboard: Program) -> None:
    page = await opened(browser, dashboard.entrance, PROMPT)
    for width, height in ((740, 520), (1300, 900)):
        await page.resize(width, height)
        # The key bar stays at the bottom, whatever the height.
        await page.until("screenText().split('\\n').at(-1).includes('palette')")
        columns = await page.evaluate("caughtTerminal.cols")
        await page.until(f"screenText().split('\\n').some(line => line.trimEnd().length === {columns})")


async def test_after_leaving_the_dashboard_it_can_be_opened_again(browser: Browser, dashboard: Program) -> None:
    page = await opened(browser, dashboard.entrance, PROMPT)
    await page.press("q", CONTROL)
    await page.until(ENDED)
    await page.evaluate("document.querySelector('.ended a').click()")
    await page.until(f"!({ENDED}) && screenText().includes({json.dumps(PROMPT)})")
    assert page.dialogs == []


async def test_a_dashboard_that_cannot_start_says_why_in_the_browser(browser: Browser, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("")
    serve = ("-m", "orchestrator_tui", "--web", "--port", "0", "--config", str(settings))
    async with program(*serve, home=tmp_path) as dashboard:
        settings.write_text("[autonomy]\nmode = 'never'\n")
        page = await opened(browser, dashboard.entrance, "autonomy.mode")
        await page.until(ENDED)
        assert "Settings" in await page.evaluate("screenText()")


async def test_closing_the_tab_lets_its_dashboard_save_its_state(browser: Browser, tmp_path: Path) -> None:
    async with Lives(tmp_path / "lives") as lives, program("-c", SERVE, *lives.command, home=tmp_path) as served:
        page = await opened(browser, served.entrance, "Say something")
        await page.close()
        assert await lives.rest() == ["started", "saved"]


async def test_the_browser_asks_before_it_throws_a_dashboard_away(browser: Browser, dashboard: Program) -> None:
    page = await opened(browser, dashboard.entrance, PROMPT)
    await page.type("half a sentence")
    await page.until_screen_has("half a sentence")
    await page.send("Page.reload")
    await page.until_screen_has(PROMPT)
    assert page.dialogs == ["beforeunload"]


async def test_a_page_of_another_server_on_this_machine_cannot_use_the_cookie(
    browser: Browser, dashboard: Program
) -> None:
    await opened(browser, dashboard.entrance, PROMPT)
    page = await browser.new_page()
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await page.go(f"http://127.0.0.1:{runner.addresses[0][1]}/")
        await page.until("document.readyState === 'complete' && location.protocol === 'http:'")
        socket = json.dumps(dashboard.origin.replace("http", "ws") + "/ws")
        tried = (
            f"new Promise(done => {{ const s = new WebSocket({socket}); s.onopen = s.onerror = e => done(e.type) }})"
        )
        assert await page.evaluate(tried) == "error"
        assert await page.evaluate(f"fetch({json.dumps(dashboard.origin)}).then(() => 'read', () => 'refused')") == (
            "refused"
        )
    finally:
        await runner.cleanup()
