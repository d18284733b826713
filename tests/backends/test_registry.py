from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest

from orchestrator_tui.backends import database, registry
from orchestrator_tui.domain.errors import TrackerUnusable


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that name trackers, as if they were installed."""
    named = {
        "jira": "orchestrator_tui.backends.database:open_tracker",
        "gone": "no_such_package.tracker:open_tracker",
        "wrong": "orchestrator_tui.backends.base:LINK",
        "json": "no_such_package.tracker:open_tracker",
    }

    def entry_points(*, group: str) -> Sequence[EntryPoint]:
        assert group == "orchestrator_tui.backends"
        return [EntryPoint(name, value, group) for name, value in named.items()]

    monkeypatch.setattr(registry, "entry_points", entry_points)


@pytest.mark.usefixtures("plugins")
def test_a_tracker_of_a_package_is_found_by_its_name_and_those_of_the_program_cannot_be_replaced() -> None:
    assert registry.names() == ("database", "json", "linear", "gone", "jira", "wrong")
    assert registry.find_tracker("jira") is database.open_tracker
    assert registry.find_tracker("json").__module__.endswith("json_file.tracker")


@pytest.mark.usefixtures("plugins")
def test_a_package_that_cannot_be_loaded_is_named_with_its_error() -> None:
    with pytest.raises(TrackerUnusable) as broken:
        registry.find_tracker("gone")
    assert broken.value.message == (
        "The work tracker gone of a package cannot be loaded (no_such_package.tracker:open_tracker): "
        "ModuleNotFoundError: No module named 'no_such_package'."
    )
    with pytest.raises(TrackerUnusable, match="The work tracker wrong cannot be opened: it is str, no function"):
        registry.find_tracker("wrong")


def test_an_unknown_tracker_is_answered_with_those_there_are() -> None:
    with pytest.raises(TrackerUnusable) as unknown:
        registry.find_tracker("trello")
    assert unknown.value.message == "There is no work tracker trello."
    assert unknown.value.hint.startswith("There are: database, json")
