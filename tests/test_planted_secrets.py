"""Credentials that turn up wherever text comes in: none is stored, logged or shown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.base import TextDelta
from orchestrator_tui.agents.typing_mask import TypingMask
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import MASK, mask, mask_data, mask_tokens, read_secrets
from orchestrator_tui.config.settings import LogSettings
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.statuses import Choice, PipelineStatus
from orchestrator_tui.logs import configure_logging
from tests.agents.support import SCHEMA, end_of, paths_in, rehearsed
from tests.agents.test_sessions import bash
from tests.agents.test_transcripts import key_of
from tests.running import NO_PLANNING, Watched, launch
from tests.scenarios import answer, structured, write, write_scenario

SHAPED = {
    "anthropic": "sk-ant-api03-" + "Ab1_" * 8,
    "github": "ghp_" + "aB3d" * 9,
    "aws": "AKIA" + "ABCDEFGH12345678",
    "slack": "xoxb-" + "123456789012-abcdef",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlMTIz",
    "linear": "lin_api_" + "a1B2" * 8,
    "key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
    "url": "postgresql://ada:pl4nted-passw0rd@db.example/main",
}
OPAQUE = "an-opaque-key-of-this-process-271828"
GIVEN_AWAY = (
    "Ab1_Ab1_",
    "aB3daB3d",
    "ABCDEFGH12345678",
    "123456789012-abcdef",
    "c2lnbmF0dXJl",
    "a1B2a1B2",
    "MIIEvQ",
    "pl4nted",
)
"""A part of each of them."""


def planted(place: str) -> str:
    return f"{place} {' '.join(SHAPED.values())} {OPAQUE} end of {place}"


def holds_secret(data: bytes) -> Iterator[str]:
    yield from (part for part in (*GIVEN_AWAY, OPAQUE) if part.encode() in data)


@pytest.mark.parametrize("text", SHAPED.values(), ids=SHAPED)
@pytest.mark.parametrize("hide", [mask, mask_tokens])
def test_tokens_of_known_shapes_are_recognised_in_any_text(text: str, hide: Any) -> None:
    for around in ("{}", "token={}", '"{}"', "a {} b", "x\n{}\ny"):
        shown = hide(around.format(text))
        assert MASK in shown
        assert not list(holds_secret(shown.encode()))


def test_code_in_which_something_is_called_a_password_stays_as_it_is() -> None:
    code = 'connect(password=password, api_key=os.environ["KEY"])  # bearer tokens: see RFC 6750'
    assert mask_tokens(code) == code


def test_data_is_masked_at_any_depth_and_left_alone_where_there_is_nothing() -> None:
    data = {"a": [1, None, {"b": f"key {SHAPED['github']}"}], SHAPED["aws"]: ("x", True)}
    assert mask_data(data, mask_tokens) == {"a": [1, None, {"b": f"key {MASK}"}], MASK: ("x", True)}
    plain = {"a": [1, {"b": "c"}]}
    assert mask_data(plain, mask_tokens) is plain


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_a_secret_is_not_shown_while_it_is_typed(size: int) -> None:
    mask_ = TypingMask(read_secrets({"ANTHROPIC_API_KEY": OPAQUE}).mask_tokens)
    text = planted("typed") + "\nIn the -----BEGIN CERTIFICATE----- there is none."
    shown = [mask_.add(text[start : start + size]) for start in range(0, len(text), size)]
    assert not any(list(holds_secret("".join(shown[:end]).encode())) for end in range(len(shown)))
    assert "".join(shown) + mask_.rest() == mask_tokens(text, [OPAQUE])


def test_a_key_that_has_no_end_is_not_shown() -> None:
    mask_ = TypingMask(mask_tokens)
    begin = "See:\n-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ IBADAN\nBg kqhk"
    assert "".join([*map(mask_.add, begin), mask_.rest()]) == f"See:\n{MASK}"
    mask_.add("never ")
    mask_.forget()
    assert mask_.rest() == ""


async def test_what_a_real_session_tells_and_keeps_has_no_secret_and_can_be_gone_on_with(
    tmp_path: Path, sqlite_store: Any
) -> None:
    hide = read_secrets({"ANTHROPIC_API_KEY": OPAQUE}).mask_tokens
    turns = [
        bash(f"printf '%s\\n' '{planted('called')}'"),
        {"structured": {"status": planted("answered")}},
    ]
    turns[0] = {**turns[0], "say": planted("said")}
    options: dict[str, Any] = {"transcripts": sqlite_store, "hide": hide, "output_schema": SCHEMA}
    async with rehearsed(tmp_path, turns, **options) as rig:
        outputs = await rig.turn(planted("asked"))
        session_id = rig.session.cli_session_id
    told = repr(outputs)
    assert not list(holds_secret(told.encode()))
    typed = "".join(output.text for output in outputs if isinstance(output, TextDelta))
    assert typed == hide(planted("said"))
    files = [file for file in paths_in(tmp_path).cli_home.rglob("*") if file.is_file()]
    assert not any(list(holds_secret(file.read_bytes())) for file in files)
    assert f"called {MASK}" in told
    assert end_of(outputs).structured["status"].startswith(f"answered {MASK}")
    assert session_id is not None
    entries = await sqlite_store.load_transcript(key_of(rig.project, session_id))
    assert entries
    assert not list(holds_secret(json.dumps(list(entries)).encode()))
    async with rehearsed(tmp_path, [{"structured": {"status": "gone on"}}], resume=session_id, **options) as again:
        assert end_of(await again.turn("Go on.")).structured == {"status": "gone on"}


async def test_a_whole_run_leaves_no_secret_in_database_state_file_or_logs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = answer(
        "implement",
        "developer",
        {**write("secret.txt", "nothing"), "say": planted("said")},
        bash(f"printf '%s' '{planted('called')}'"),
        structured(status="done", summary=planted("summary"), notes=planted("notes")),
    )
    begun = launch(home, write_scenario(tmp_path, done, items=1), autonomy="checkpoint", **NO_PLANNING)
    start = Launch(
        paths=begun.paths,
        environ={**begun.environ, "LINEAR_API_KEY": OPAQUE},
        cwd=begun.cwd,
        overrides=begun.overrides,
        scenario=begun.scenario,
    )
    secrets = read_secrets(start.environ)
    with configure_logging(LogSettings(level="debug"), start.paths.logs, secrets=secrets):
        async with open_engine(start) as engine:
            run = Watched(engine=engine)
            command = CreateProject(idea=planted("idea"), name="demo", rehearsal=True)
            run.project_id = await engine.submit(command)
            assert await run.until_rest() is PipelineStatus.PAUSED
            await run.answer(Choice.REQUEST_CHANGES, planted("feedback"))
            assert await run.until_rest() is PipelineStatus.PAUSED
            await run.answer(Choice.APPROVE)
            await run.until_rest()
            directory = Path((await run.project()).directory)
    assert any(isinstance(recorded.event, events.AgentToolReturned) for recorded in run.seen)
    kept = [start.paths.database, *start.paths.data.glob("orchestrator.db-*"), *start.paths.logs.iterdir()]
    kept += [directory / ".orchestrator_state.json", *(directory / ".orchestrator").glob("*.md")]
    found = {file.name: list(holds_secret(file.read_bytes())) for file in kept}
    assert not any(found.values()), found
    assert re.search(rb"idea \*\*\*", start.paths.database.read_bytes())
