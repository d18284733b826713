from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.config.loader import Settings, load_settings, parse_assignment
from orchestrator_tui.config.paths import Paths, find_paths
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.statuses import Autonomy, PhaseName


class Place:
    """A folder to start in, and the person's own settings."""

    def __init__(self, root: Path) -> None:
        self.cwd = root / "project"
        self.cwd.mkdir()
        self.paths: Paths = find_paths({"ORCHESTRATOR_HOME": str(root / "home")})
        self.paths.config.mkdir()

    @property
    def file(self) -> Path:
        return self.cwd / "orchestrator.toml"

    def load(self, environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
        return load_settings(paths=self.paths, environ=environ or {}, cwd=self.cwd, **arguments)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_without_any_source_all_is_at_its_default(place: Place) -> None:
    settings = place.load()
    assert settings.model_dump() == SettingsModel().model_dump()
    assert settings.origin("agent.model") == "default"


def test_each_source_goes_over_the_next(place: Place) -> None:
    place.paths.user_settings.write_text(
        "[agent]\nmax_turns = 1\nmax_parallel = 1\napi_retries = 1\nmax_sessions = 1\n"
    )
    place.file.write_text("[agent]\nmax_turns = 2\nmax_parallel = 2\napi_retries = 2\n")
    environ = {"ORCHESTRATOR_AGENT__MAX_TURNS": "3", "ORCHESTRATOR_AGENT__MAX_PARALLEL": "3"}
    settings = place.load(environ, overrides={"agent": {"max_turns": 4}})
    agent = settings.agent
    assert (agent.max_turns, agent.max_parallel, agent.api_retries, agent.max_sessions) == (4, 3, 2, 1)
    assert settings.origin("agent.max_turns") == "command line --set agent.max_turns"
    assert settings.origin("agent.max_parallel") == "environment ORCHESTRATOR_AGENT__MAX_PARALLEL"
    assert settings.origin("agent.api_retries") == str(place.file)
    assert settings.origin("agent.max_sessions") == str(place.paths.user_settings)
    assert settings.origin("agent.model") == "default"


def test_sources_are_merged_key_by_key_in_nested_groups(place: Place) -> None:
    place.paths.user_settings.write_text('[phases.testing]\nmodel = "haiku"\nmax_rounds = 7\n')
    place.file.write_text('[phases.testing]\nmodel = "claude-sonnet-4-5"\n[phases.deploy]\nenabled = true\n')
    settings = place.load({"ORCHESTRATOR_PHASES__TASK_BREAKDOWN__TARGET_ITEMS": "12"})
    assert settings.model_for(PhaseName.TESTING) == "claude-sonnet-4-5"
    assert settings.phases.testing.max_rounds == 7
    assert settings.phases.deploy.enabled
    assert settings.phases.task_breakdown.target_items == 12


def test_a_value_equal_to_the_default_still_covers_the_source_below(place: Place) -> None:
    place.paths.user_settings.write_text("[agent]\nmax_parallel = 9\n")
    assert place.load({"ORCHESTRATOR_AGENT__MAX_PARALLEL": "3"}).agent.max_parallel == 3


def test_a_named_file_replaces_the_one_in_the_folder(place: Place) -> None:
    place.file.write_text("[agent]\nmax_turns = 2\n")
    (place.cwd / "other.toml").write_text("[agent]\nmax_parallel = 2\n")
    settings = place.load(config_file=Path("other.toml"))
    assert (settings.agent.max_turns, settings.agent.max_parallel) == (200, 2)


def test_the_process_environment_is_not_looked_at(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_AGENT__MAX_TURNS", "5")
    monkeypatch.setenv("AGENT", "{}")
    assert place.load().agent.max_turns == 200
    assert Settings().agent.max_turns == 200


def test_home_and_marks_and_empty_variables_set_nothing(place: Place) -> None:
    settings = place.load({"ORCHESTRATOR_HOME": "/x", "ORCHESTRATOR_RUN_ID": "1", "ORCHESTRATOR_AGENT__MODEL": ""})
    assert settings.model_dump() == SettingsModel().model_dump()


def test_truth_values_and_choices_are_read_from_text(place: Place) -> None:
    environ = {"ORCHESTRATOR_PHASES__DEPLOY__ENABLED": "true", "ORCHESTRATOR_AUTONOMY__MODE": "full"}
    settings = place.load(environ)
    assert settings.phases.deploy.enabled
    assert settings.autonomy.mode is Autonomy.FULL


def test_folders_are_absolute_and_know_the_home_folder(place: Place) -> None:
    place.file.write_text('[project]\ndirectory = "here"\nworkspace = "~/there"\n')
    project = place.load().project
    assert project.directory == place.cwd / "here"
    assert project.workspace == Path.home() / "there"


def test_the_flag_that_was_typed_is_the_origin(place: Place) -> None:
    settings = place.load(overrides={"agent": {"model": "opus"}}, flags={"agent.model": "--model"})
    assert settings.origin("agent.model") == "command line --model"


def test_one_run_does_not_change_the_defaults_of_the_next(place: Place) -> None:
    place.load(overrides={"project": {"name": "one"}}).agent.max_turns = 1
    assert place.load().project.name is None
    assert place.load().agent.max_turns == 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", {"a": {"b": 3}}),
        ("a.b=true", {"a": {"b": True}}),
        ("a.b = 2.5", {"a": {"b": 2.5}}),
        ('a="x = y"', {"a": "x = y"}),
        ("a=[1, 2]", {"a": [1, 2]}),
        ("phases.implement.model=claude-x", {"phases": {"implement": {"model": "claude-x"}}}),
        ("a=", {"a": ""}),
        ("a=x=y", {"a": "x=y"}),
        ("a=1\nb=2", {"a": "1\nb=2"}),
    ],
)
def test_an_assignment_is_a_key_and_a_toml_value_or_text(text: str, value: object) -> None:
    assert parse_assignment(text) == value


@pytest.mark.parametrize("text", ["", "agent.model", "=x", "agent..model=x", ".=1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="KEY=VALUE"):
        parse_assignment(text)


def test_an_unknown_key_has_no_origin(place: Place) -> None:
    with pytest.raises(KeyError):
        place.load().origin("agent.modle")
