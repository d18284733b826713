import copy
import json
import pickle
from pathlib import Path

import pytest

from orchestrator_tui.config.keys import known_keys
from orchestrator_tui.config.loader import load_settings
from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.config.secrets import is_secret_name, mask, read_secrets
from orchestrator_tui.domain.errors import SettingsError

HIDDEN = "hidden-value-12345"
ENVIRON = {
    "CLAUDE_CODE_OAUTH_TOKEN": "oauth-value-67890",
    "ANTHROPIC_API_KEY": HIDDEN,
    "LINEAR_API_KEY": " ",
    "DATABASE_URL": "postgresql://ann:p%40ss/w@ord@db.example/main",
    "HOME": "/home/ann",
}


def test_credentials_come_from_the_environment_and_empty_ones_are_none() -> None:
    secrets = read_secrets(ENVIRON)
    assert secrets.anthropic_api_key == HIDDEN
    assert secrets.claude_code_oauth_token == "oauth-value-67890"
    assert secrets.linear_api_key is None
    assert secrets.database_url == ENVIRON["DATABASE_URL"]
    assert secrets.names == ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "DATABASE_URL")


def test_credentials_are_never_shown_or_serialised() -> None:
    secrets = read_secrets(ENVIRON)
    assert HIDDEN not in f"{secrets} {secrets!r} {[secrets]}"
    for serialise in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            serialise(secrets)


def test_known_values_are_masked_wherever_they_are() -> None:
    text = f"key={HIDDEN} to {ENVIRON['DATABASE_URL']} as p@ss/w@ord"
    masked = read_secrets(ENVIRON).mask(text)
    assert "hidden" not in masked
    assert "w@ord" not in masked
    assert "db.example" in masked


def test_an_address_without_a_password_stays_readable() -> None:
    secrets = read_secrets({"DATABASE_URL": "postgresql://localhost:5432/main"})
    assert secrets.mask("cannot reach postgresql://localhost:5432/main") == (
        "cannot reach postgresql://localhost:5432/main"
    )


def test_a_password_that_is_also_the_user_does_not_mask_ordinary_words() -> None:
    secrets = read_secrets({"DATABASE_URL": "postgresql://postgres:postgres@localhost/main"})
    assert secrets.mask("postgres at postgresql://postgres:postgres@localhost/main") == (
        "postgres at postgresql://postgres:***@localhost/main"
    )


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sk-ant-api03-AbC_d-123 is bad", "*** is bad"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
        ("lin_api_abcDEF123", "***"),
        ("mysql+pymysql://a:b@c/d", "mysql+pymysql://a:***@c/d"),
        ("redis://:b@c/0", "redis://:***@c/0"),
        ("x-api-key: abc123", "x-api-key: ***"),
        ("ANTHROPIC_API_KEY=abcdefgh rest", "ANTHROPIC_API_KEY=*** rest"),
        ('{"api_key": "abcdefgh"}', '{"api_key": "***"}'),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "***"),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "task-breakdown-pipeline",
        "http://localhost:8080/a@b",
        "see https://example.org/x?y=1 and mail a@b.c",
        "used 512 tokens",
        "LINEAR_API_KEY: is missing",
        "git@github.com:a/b.git",
        "desk-anthology-extra",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part",
    ["a", "a-", "x_", "://a:", "://a:b/", "http://", "api_key", "password: ", "eyJ", "eyJaaaaaaaaaa.", "sk-", "bearer ",
     "-----BEGIN A PRIVATE KEY-----", "-----BEGIN ", "github_pat_", "password=", "api_key:a"],
)  # fmt: skip
def test_no_text_makes_masking_slow(part: str) -> None:
    mask(part * (200_000 // len(part)))


def test_no_setting_has_the_name_of_a_credential() -> None:
    assert [key for key in known_keys() for part in key.split(".") if is_secret_name(part)] == []


@pytest.mark.parametrize(
    ("content", "key", "variable"),
    [
        (f'ANTHROPIC_API_KEY = "{HIDDEN}"', "ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"),
        (f'[agent]\nanthropic-api-key = "{HIDDEN}"', "agent.anthropic-api-key", "ANTHROPIC_API_KEY"),
        (f'[a.b.c]\nClaude_Code_OAuth_Token = "{HIDDEN}"', "a.b.c.Claude_Code_OAuth_Token", "CLAUDE_CODE_OAUTH_TOKEN"),
        (f'[backend]\ndatabase_url = "{HIDDEN}"', "backend.database_url", "DATABASE_URL"),
        (f'[backend.linear]\napiKey = "{HIDDEN}"', "backend.linear.apiKey", "ANTHROPIC_API_KEY"),
        (f'[x]\nauthtoken = {{ value = "{HIDDEN}" }}', "x.authtoken", "CLAUDE_CODE_OAUTH_TOKEN"),
        (f'[project]\nname = "sk-ant-{HIDDEN}"', "project.name", "ANTHROPIC_API_KEY"),
        ('[project]\nname = "lin_api_hidden"', "project.name", "LINEAR_API_KEY"),
        (f'[backend]\ntype = "postgres://a:{HIDDEN}@b/c"', "backend.type", "DATABASE_URL"),
        (f'[agent]\nmodel = ["postgres://a:{HIDDEN}@b/c"]', "agent.model", "DATABASE_URL"),
    ],
)
def test_a_credential_in_a_file_is_refused_without_showing_it(
    tmp_path: Path, content: str, key: str, variable: str
) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(paths=find_paths({"ORCHESTRATOR_HOME": str(tmp_path / "h")}), environ={}, cwd=tmp_path)
    (line,) = caught.value.message.splitlines()
    assert line.startswith(f"{file}: {key} is a credential")
    assert variable in line
    assert "hidden" not in line
    assert caught.value.__cause__ is None


def test_a_credential_in_an_array_of_tables_is_found(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text(f'[[x]]\n[[x.y]]\npassword = "{HIDDEN}"')
    with pytest.raises(SettingsError) as caught:
        load_settings(paths=find_paths({"ORCHESTRATOR_HOME": str(tmp_path / "h")}), environ={}, cwd=tmp_path)
    assert caught.value.message.startswith(f"{file}: x.y.password is a credential")
    assert "hidden" not in caught.value.message


def test_a_known_credential_is_masked_in_every_problem(tmp_path: Path) -> None:
    environ = {"ANTHROPIC_API_KEY": HIDDEN, "ORCHESTRATOR_AGENT__MODEL": f"{'x' * 50}{HIDDEN}"}
    with pytest.raises(SettingsError) as caught:
        load_settings(paths=find_paths({"ORCHESTRATOR_HOME": str(tmp_path)}), environ=environ, cwd=tmp_path)
    assert "hidden" not in caught.value.message
