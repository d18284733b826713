import pytest

from orchestrator_tui.config.urls import check_remote


@pytest.mark.parametrize(
    "text",
    ["/mnt/team", "file:///mnt/team", "ssh://git@host:2222/team", "git@host.example.org:team", "https://host/team"],
)
def test_what_git_finds_repositories_below_is_taken(text: str) -> None:
    assert check_remote(text) == text


@pytest.mark.parametrize(
    "text",
    ["team", "./team", "", "ext::sh -c id", "https://ann@host/team", "ssh://git:word@host/team", "ftp://host", "-x:y"],
)
def test_what_could_run_something_or_holds_a_credential_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|credentials"):
        check_remote(text)
