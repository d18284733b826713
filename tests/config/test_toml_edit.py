import tomllib
from pathlib import Path

import pytest

from orchestrator_tui.config.keys import known_keys
from orchestrator_tui.config.template import render_template
from orchestrator_tui.config.toml_edit import edited, set_in_file
from orchestrator_tui.domain.errors import SettingsError


def lines_that_differ(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.split("\n"), after.split("\n")
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return old, new


@pytest.mark.parametrize("key", known_keys())
def test_every_setting_of_the_commented_template_changes_in_one_line(key: str) -> None:
    template = render_template()
    for value in ("x", 7, True, 2.5):
        old, new = lines_that_differ(template, edited(template, key, value))
        assert len(new) <= 1 and len(old) <= 1, (key, value)
    old, new = lines_that_differ(template, edited(template, key, None))
    assert new == [] and len(old) <= 1


@pytest.mark.parametrize(
    ("text", "key", "value", "expected"),
    [
        ("", "agent.model", "x", '[agent]\nmodel = "x"\n'),
        ("# mine\n", "agent.model", "x", '# mine\n\n[agent]\nmodel = "x"\n'),
        ("[agent]", "agent.model", "x", '[agent]\nmodel = "x"'),
        ('[agent]\nmodel = "a" # why # "#"\n', "agent.model", "b", '[agent]\nmodel = "b" # why # "#"\n'),
        ('[agent]\nmodel="a#b"#c\n', "agent.model", "b", '[agent]\nmodel="b"#c\n'),
        ('[agent]\n"model" = \'a\'\n', "agent.model", "b", '[agent]\n"model" = "b"\n'),
        ('agent.model = "a" # c\n', "agent.max_turns", 3, 'agent.model = "a" # c\nagent.max_turns = 3\n'),
        ('[agent]\nmodel = """a\n[x]\n""" # c\nmax_turns = 3\n', "agent.model", "b",
         '[agent]\nmodel = "b" # c\nmax_turns = 3\n'),
        ('[agent]\r\nmodel = "a"\r\n', "agent.model", "b", '[agent]\r\nmodel = "b"\r\n'),
        ('[agent]\n# model = "…"\n\n[tui]\n', "agent.model", "b", '[agent]\n# model = "…"\nmodel = "b"\n\n[tui]\n'),
        ('[agent]\n# about\nmodel = "a"\n', "agent.model", None, "[agent]\n# about\n"),
        ("[[agents]]\na = 1\n", "agent.model", None, "[[agents]]\na = 1\n"),
        ("[webhooks]\nreceivers = [] # none\n", "webhooks.receivers", [{"name": "a", "on": ["failed"]}],
         '[webhooks]\nreceivers = [{ name = "a", on = ["failed"] }] # none\n'),
    ],
)  # fmt: skip
def test_only_the_one_key_changes(text: str, key: str, value: object, expected: str) -> None:
    assert edited(text, key, value) == expected


def test_what_cannot_be_changed_safely_is_refused() -> None:
    with pytest.raises(SettingsError, match="without losing something") as caught:
        edited("[phases]\nideation = { enabled = true } # mine\n", "phases.ideation.enabled", False, name="FILE")
    assert caught.value.message.startswith("FILE: phases.ideation.enabled is written there in a way")


def test_a_group_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="agent is not a group of settings there"):
        edited("agent = 3\n", "agent.model", "x")


def test_types_are_kept_apart() -> None:
    assert tomllib.loads(edited("[agent]\nmax_turns = 1\n", "agent.max_turns", True)) == {"agent": {"max_turns": True}}
    assert edited("[agent]\nmax_turns = 1\n", "agent.max_turns", True).endswith("= true\n")


def test_a_file_keeps_its_comments_and_is_made_when_it_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "new" / "orchestrator.toml"
    set_in_file(file, "agent.max_parallel", 2)
    file.write_text(f"# why\n{file.read_text()}# end\n")
    set_in_file(file, "agent.max_parallel", 3)
    assert file.read_text() == "# why\n[agent]\nmax_parallel = 3\n# end\n"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("agent.max_parallel", 99, "expected a whole number from 1 up to 20"),
        ("project.name", "sk-ant-0123456789", "is a credential"),
        ("agent.api_key", "x", "is a credential"),
        ("agent.nothing", 1, "is not a setting"),
    ],
)
def test_what_is_no_usable_setting_is_not_written(tmp_path: Path, key: str, value: object, message: str) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text("# mine\n")
    with pytest.raises(SettingsError, match=message):
        set_in_file(file, key, value)
    assert file.read_text() == "# mine\n"


def test_a_file_that_is_not_toml_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text("[agent\n")
    with pytest.raises(SettingsError, match="not valid TOML"):
        set_in_file(file, "agent.model", "opus")
    assert file.read_text() == "[agent\n"
