from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.config.loader import load_settings
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.config.webhooks import RECEIVERS
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.notices import Happening

GROUPS = ", ".join(SettingsModel.model_fields) + "."

RECEIVER = "[[webhooks.receivers]]\nname = 'a'\nurl = 'https://example.org'\nkey_from = 'K'\n"


def problems(
    folder: Path, content: str | bytes = "", environ: Mapping[str, str] | None = None, **arguments: Any
) -> list[str]:
    file = folder / "orchestrator.toml"
    if content:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    paths = find_paths({"ORCHESTRATOR_HOME": str(folder / "home")})
    with pytest.raises(SettingsError) as caught:
        load_settings(paths=paths, environ=environ or {}, cwd=folder, **arguments)
    return caught.value.message.replace(f"{file}", "FILE").splitlines()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('agent.modle = "x"', "FILE: agent.modle is not a setting; did you mean agent.model?"),
        ('model = "opus"', "FILE: model is not a setting; did you mean agent.model?"),
        ("[agnt]\nmax_turns = 1", "FILE: agnt.max_turns is not a setting; did you mean agent.max_turns?"),
        ("[phases.tesing]\nmax_rounds = 1",
         "FILE: phases.tesing.max_rounds is not a setting; did you mean phases.testing.max_rounds?"),
        ("[zzzzzzzz]", "FILE: zzzzzzzz is not a setting; known groups are " + GROUPS),
        ('agent.max_turns = "x"', 'FILE: agent.max_turns is "x"; expected a whole number from 1 up to 1,000,000.'),
        ("agent.max_turns = true", "FILE: agent.max_turns is true; expected a whole number from 1 up to 1,000,000."),
        ("agent.max_turns = 2.5", "FILE: agent.max_turns is 2.5; expected a whole number from 1 up to 1,000,000."),
        ("agent.max_parallel = 21", "FILE: agent.max_parallel is 21; expected a whole number from 1 up to 20."),
        ("agent = 3", "FILE: agent is 3; expected a group of settings, [agent]."),
        ("[[agent]]\nmodel = 'opus'", "FILE: agent is an array; expected a group of settings, [agent]."),
        ("agent.model.name = 'opus'", "FILE: agent.model is a table; expected sonnet, opus, haiku, default or a full "
         "name that starts with claude-."),
        ("agent.model = 'gpt-5'", 'FILE: agent.model is "gpt-5"; expected sonnet, opus, haiku, default or a full '
         "name that starts with claude-."),
        ("phases.testing.model = ''", 'FILE: phases.testing.model is ""; expected sonnet, opus, haiku, default or a '
         "full name that starts with claude-."),
        ("autonomy.mode = 'half'", 'FILE: autonomy.mode is "half"; expected "full" or "checkpoint".'),
        ("backend.type = 'JSON'", 'FILE: backend.type is "JSON"; expected database, json, linear, or the name of an '
         "installed tracker."),
        ("log.max_megabytes = inf", "FILE: log.max_megabytes is inf; expected a number above 0 up to 1,000,000."),
        ("project.name = 2024-01-01", "FILE: project.name is 2024-01-01; expected text in quotes."),
        ("webhooks.receivers = [{ name = 'a', url = 'http://example.org', key_from = 'K' }]",
         f'FILE: webhooks.receivers, number 1, "a": url: not encrypted; expected {RECEIVERS}.'),
        (f"{RECEIVER}[[webhooks.receivers]]\nname = 'b'\nurl = 'https://example.org'",
         f'FILE: webhooks.receivers, number 2, "b": a key is needed to sign with; expected {RECEIVERS}.'),
        (f"{RECEIVER}on = ['nothing']",
         'FILE: webhooks.receivers, number 1, "a": on: expected an array of waiting, finished, failed, budget; '
         f"expected {RECEIVERS}."),
        (f"{RECEIVER}onn = ['failed']",
         f'FILE: webhooks.receivers, number 1, "a": there is no onn; expected {RECEIVERS}.'),
        ("[[webhooks.receivers]]\nurl = 'https://example.org'\nkey_from = 'K'",
         f"FILE: webhooks.receivers, number 1: name is needed; expected {RECEIVERS}."),
        (RECEIVER + RECEIVER, f"FILE: webhooks.receivers, two have the same name; expected {RECEIVERS}."),
        ("agent.model = []", "FILE: agent.model is an array; expected sonnet, opus, haiku, default or a full "
         "name that starts with claude-."),
        ("webhooks.receivers = 'team'", f'FILE: webhooks.receivers is "team"; expected {RECEIVERS}.'),
        ('"a\\nb" = 1', 'FILE: "a\\nb" is not a setting; known groups are ' + GROUPS),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_one_line(tmp_path: Path, content: str, line: str) -> None:
    assert problems(tmp_path, content) == [line]


def test_who_is_told_of_what_is_taken_as_the_documentation_has_it(tmp_path: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "server.md").read_text()
    (tmp_path / "orchestrator.toml").write_text(documented.partition("```toml\n")[2].partition("```")[0])
    paths = find_paths({"ORCHESTRATOR_HOME": str(tmp_path / "home")})
    team, slack = load_settings(paths=paths, environ={}, cwd=tmp_path).webhooks.receivers
    assert (team.name, team.on) == ("team", tuple(Happening))
    assert (slack.name, slack.on) == ("slack", (Happening.WAITING, Happening.FAILED))


@pytest.mark.parametrize("name", ["opus", "default", "sonnet[1m]", "claude-opus-4-5-20251101", "claude-sonnet-4.5[1m]"])
def test_models_by_alias_or_full_name_are_taken(tmp_path: Path, name: str) -> None:
    paths = find_paths({"ORCHESTRATOR_HOME": str(tmp_path)})
    environ = {"ORCHESTRATOR_AGENT__MODEL": name}
    assert load_settings(paths=paths, environ=environ, cwd=tmp_path).agent.model == name


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (b"[agent]\nmodel 3\n", "FILE, line 2, column 7: not valid TOML: "),
        (b"[agent]\nmodel = ", "FILE, line 2, column 9: not valid TOML: "),
        (b"[agent]\nmax_turns = 1\nmax_turns = 2\n", "FILE, line 3, column 14: not valid TOML: "),
        (b"a = '''x\ny", "FILE, line 2, column 2: not valid TOML: "),
        (b"[agent]\nmodel = \xff\xfe", "FILE is not text in UTF-8: byte 16 cannot be read."),
        (b"\x7fELF\x00\x00", "FILE, line 1, column 1: not valid TOML: "),
        (b"a = " + b"[" * 5000, "FILE: a value cannot be read"),
        (b"a = " + b"9" * 5000, "FILE: a value cannot be read"),
        (b"#" * 1_000_001, "FILE is larger than 1,000,000 bytes"),
    ],
    ids=["no-equals", "no-value", "twice", "open-text", "not-utf-8", "binary", "deep", "long-number", "large"],
)
def test_a_file_that_is_no_toml_is_told_with_its_place(tmp_path: Path, content: bytes, start: str) -> None:
    (line,) = problems(tmp_path, content)
    assert line.startswith(start)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_bytes(b"\xef\xbb\xbf[agent]\r\nmax_turns = 5\r\n")
    paths = find_paths({"ORCHESTRATOR_HOME": str(tmp_path / "home")})
    assert load_settings(paths=paths, environ={}, cwd=tmp_path).agent.max_turns == 5


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").mkdir()
    assert problems(tmp_path) == ["FILE is not a file; a settings file in TOML was expected."]


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, config_file=Path("nowhere.toml"))
    assert line == f"{tmp_path}/nowhere.toml does not exist; name a settings file that does."


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("ORCHESTRATOR_AGENT__MODLE", "opus", "agent.modle is not a setting; did you mean agent.model? "
         "Set ORCHESTRATOR_AGENT__MODEL for it, or take the variable away."),
        ("ORCHESTRATOR_MODEL", "opus", "model is not a setting; did you mean agent.model? "
         "Set ORCHESTRATOR_AGENT__MODEL for it, or take the variable away."),
        ("ORCHESTRATOR_AGENT", "x", "agent is a group of settings; expected a variable such as "
         "ORCHESTRATOR_AGENT__MODEL."),
        ("ORCHESTRATOR_AGENT__MAX_TURNS", "x", 'agent.max_turns is "x"; '
         "expected a whole number from 1 up to 1,000,000."),
        ("ORCHESTRATOR_LINEAR_API_KEY", "lin_api_abcdef", "this is not a setting; a credential is read from "
         "LINEAR_API_KEY only."),
        ("ORCHESTRATOR_PROJECT__NAME", "lin_api_abcdef", "project.name is a credential, and credentials are not kept "
         "in settings; take it out and set it in the environment as CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY or "
         "LINEAR_API_KEY or "
         "LINEAR_WEBHOOK_SECRET or DATABASE_URL."),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, line: str) -> None:
    assert problems(tmp_path, environ={variable: value}) == [f"environment {variable}: {line}"]


def test_a_wrong_flag_is_named(tmp_path: Path) -> None:
    overrides = {"agent": {"max_turns": 0, "modle": "x"}}
    flags = {"agent.max_turns": "--max-turns"}
    assert problems(tmp_path, overrides=overrides, flags=flags) == [
        "command line --set agent.modle: agent.modle is not a setting; did you mean agent.model?",
        "command line --max-turns: agent.max_turns is 0; expected a whole number from 1 up to 1,000,000.",
    ]


def test_all_problems_of_all_sources_are_told_at_once(tmp_path: Path) -> None:
    lines = problems(tmp_path, "agent.max_turns = 0\n[log]\nkeep = 'x'", {"ORCHESTRATOR_LOG__LEVEL": "loud"})
    assert lines == [
        'environment ORCHESTRATOR_LOG__LEVEL: log.level is "loud"; expected "debug", "info", "warning" or "error".',
        "FILE: agent.max_turns is 0; expected a whole number from 1 up to 1,000,000.",
        'FILE: log.keep is "x"; expected a whole number from 1 up to 100.',
    ]


def test_a_problem_in_a_covered_value_is_told_too(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "agent.max_turns = 0", overrides={"agent": {"max_turns": 3}})) == 1


def test_a_file_of_another_program_is_told_in_few_lines(tmp_path: Path) -> None:
    lines = problems(tmp_path, "\n".join(f"key{number}-{'x' * 200} = 1" for number in range(3000)))
    assert len(lines) == 21
    assert lines[-1] == "FILE: 2,980 more keys are not settings; is it the right file?"


def test_a_folder_of_an_unknown_person_is_told(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "project.directory = '~nobody-of-this-name/x'")
    assert "project" in line
