from pathlib import Path

import pytest

from orchestrator_tui.agents.environment import (
    AGENT_ID,
    RUN_ID,
    THIS_RUN,
    AccountEndpoint,
    cli_environment,
    secret_values,
    tool_environment,
)
from orchestrator_tui.config.secrets import mask
from orchestrator_tui.domain.errors import CredentialsMissing
from tests.agents.support import paths_in, request_in

PARENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/home/somebody",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "ANTHROPIC_API_KEY": "sk-ant-planted",
    "CLAUDE_CODE_OAUTH_TOKEN": "planted-token",
    "AWS_SECRET_ACCESS_KEY": "planted-aws",
    "HTTPS_PROXY": "http://user:password@proxy:1",
    "http_proxy": "http://proxy:1",
    "SSL_CERT_FILE": "/etc/ca.pem",
    "LD_PRELOAD": "/evil.so",
    "NODE_OPTIONS": "--require evil",
    "CLAUDECODE": "1",
}


def test_in_rehearsal_nothing_leads_out_of_the_machine(tmp_path: Path) -> None:
    built = tool_environment(PARENT, rehearsal=True, paths=paths_in(tmp_path))
    assert set(built) == {"PATH", "HOME", "LANG", "LC_ALL", "SHELL", "GIT_TERMINAL_PROMPT"}
    assert Path(built["HOME"]).is_relative_to(tmp_path) and Path(built["HOME"]).is_dir()
    assert (Path(built["PATH"].split(":")[0]) / "python3").exists()


def test_tools_of_a_real_run_get_no_credentials(tmp_path: Path) -> None:
    built = tool_environment(PARENT, rehearsal=False, paths=paths_in(tmp_path))
    assert built["HOME"] == "/home/somebody" and built["http_proxy"] and built["SSL_CERT_FILE"]
    assert not {name for name in built if "KEY" in name or "TOKEN" in name}
    assert not any("password" in value or "planted" in value for value in built.values())


def test_a_real_session_gets_one_credential_and_the_proxies(tmp_path: Path) -> None:
    request = request_in(tmp_path)
    built = cli_environment(
        request, AccountEndpoint(PARENT), parent_environ=PARENT, paths=paths_in(tmp_path), api_retries=3
    )
    assert built["CLAUDE_CODE_OAUTH_TOKEN"] == "planted-token" and "ANTHROPIC_API_KEY" not in built
    assert built["HTTPS_PROXY"] == PARENT["HTTPS_PROXY"]
    assert (built[RUN_ID], built[AGENT_ID]) == (THIS_RUN, request.agent_id)
    assert built["CLAUDE_CODE_MAX_RETRIES"] == "3"
    assert not {"LD_PRELOAD", "NODE_OPTIONS", "AWS_SECRET_ACCESS_KEY", "CLAUDECODE"} & set(built)


def test_an_address_the_person_set_is_kept(tmp_path: Path) -> None:
    endpoint = AccountEndpoint({"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": "https://gateway"})
    assert endpoint.environment(request_in(tmp_path)) == {
        "ANTHROPIC_API_KEY": "key",
        "ANTHROPIC_BASE_URL": "https://gateway",
    }
    assert not endpoint.scripted and "key" not in repr(endpoint)


def test_an_account_is_known_by_its_credential_and_tells_nothing_of_it() -> None:
    mine = AccountEndpoint({"CLAUDE_CODE_OAUTH_TOKEN": "planted-token"}).account
    assert mine == AccountEndpoint(PARENT).account != AccountEndpoint({"ANTHROPIC_API_KEY": "planted-token2"}).account
    assert mine and "planted" not in mine
    assert AccountEndpoint({}).account == ""


def test_no_credentials_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CredentialsMissing):
        AccountEndpoint({"ANTHROPIC_API_KEY": ""}).environment(request_in(tmp_path))


def test_secrets_are_masked() -> None:
    secrets = secret_values({"ANTHROPIC_API_KEY": "abcdef-secret", "PATH": "/usr/bin", "X_TOKEN": "1"})
    assert secrets == ("abcdef-secret",)
    assert mask("key abcdef-secret or sk-ant-api03-xyz", secrets) == "key *** or ***"
