from pathlib import Path

import pytest

from orchestrator_tui.config.places import check_domains, check_folders, folders_in, split_list


def test_a_list_is_split_at_its_commas() -> None:
    assert split_list(" pypi.org,*.example.org , ,") == ("pypi.org", "*.example.org")
    assert folders_in("/srv/data, ~/models", Path("/home/ada")) == (Path("/srv/data"), Path("/home/ada/models"))


@pytest.mark.parametrize("text", ["", "pypi.org", "*.example.org, a-b.c", "localhost"])
def test_domains_are_taken(text: str) -> None:
    assert check_domains(text) == text


@pytest.mark.parametrize(
    "text", ["https://pypi.org", "a b", "*", "*.*.org", "pypi.org/simple", "pypi.org:443", "-a.org"]
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no domain"):
        check_domains(text)


@pytest.mark.parametrize("text", ["data", "../x", "/srv/../etc", "~ada/x", "~"])
def test_what_is_no_absolute_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no absolute path"):
        check_folders(text)
