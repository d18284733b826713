import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.sandbox import READ_ONLY_NAMES, Boundary, decide


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "outside").symlink_to(tmp_path)
    (folder / "src" / "real.py").write_text("")
    (folder / "alias").symlink_to(folder / "src")
    (tmp_path / "secret").write_text("")
    return folder


def allowed(project: Path, tool: str, **arguments: Any) -> bool:
    return decide(tool, arguments, Boundary.around(project), project).allowed


@pytest.mark.parametrize("path", ["src/real.py", "new/deep/file.py", "./a", "src/../b", "alias/real.py", "a b", "…"])
def test_files_inside_may_be_read_and_written(project: Path, path: str) -> None:
    for written in (path, str(project / path)):
        assert allowed(project, "Read", file_path=written)
        assert allowed(project, "Write", file_path=written)
        assert allowed(project, "Edit", file_path=written)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret", "outside/secret", "outside/new", "src/../../secret", "~/.ssh/id", "~root/x", " /etc/x",
     "alias/../../secret", "", "  ", "a\0b", "outside/../project/src/real.py/../../../secret"],
)  # fmt: skip
def test_files_outside_are_refused(project: Path, path: str) -> None:
    for tool in ("Read", "Write", "Edit"):
        assert not allowed(project, tool, file_path=path)


@pytest.mark.parametrize("name", sorted(READ_ONLY_NAMES))
def test_the_engines_own_files_are_read_only(project: Path, name: str) -> None:
    for path in (name, f"{name}/x", name.upper(), f"src/../{name}"):
        assert allowed(project, "Read", file_path=path)
        assert not allowed(project, "Write", file_path=path)


def test_a_repository_inside_the_project_is_read_only_too(project: Path) -> None:
    assert not allowed(project, "Write", file_path="vendor/.git/config")


def test_a_link_to_the_repository_is_no_way_around(project: Path) -> None:
    (project / "g").symlink_to(project / ".git")
    assert not allowed(project, "Write", file_path="g/config")


def test_a_name_that_the_cli_composes_is_checked_as_composed(project: Path, tmp_path: Path) -> None:
    (project / unicodedata.normalize("NFC", "é")).symlink_to(tmp_path)
    assert not allowed(project, "Read", file_path=unicodedata.normalize("NFD", "é") + "/secret")


@pytest.mark.parametrize("pattern", ["**/*.py", "src/*", "*.{py,md}", "real.py", "a..b/*"])
def test_patterns_inside_may_be_searched(project: Path, pattern: str) -> None:
    assert allowed(project, "Glob", pattern=pattern)
    assert allowed(project, "Glob", pattern=pattern, path="src")
    assert allowed(project, "Grep", pattern="x", glob=pattern, path=str(project))


@pytest.mark.parametrize(
    "pattern", ["../*", "src/../../*", "/etc/*", "{..,src}/*", "{/etc,src}/*", "{src,../..}/*", "outside/*", "~/*"]
)
def test_patterns_that_climb_out_are_refused(project: Path, pattern: str) -> None:
    assert not allowed(project, "Glob", pattern=pattern)
    assert not allowed(project, "Grep", pattern="x", glob=pattern)


@pytest.mark.parametrize("path", ["..", "/", "outside", 7])
def test_searching_outside_is_refused(project: Path, path: object) -> None:
    assert not allowed(project, "Glob", pattern="*", path=path)
    assert not allowed(project, "Grep", pattern="x", path=path)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Read", {}),
        ("Read", {"file_path": 1}),
        ("NotebookEdit", {"notebook_path": "a"}),
        ("Glob", {"path": "."}),
        ("X", {}),
    ],
)
def test_what_is_not_understood_is_refused(project: Path, tool: str, arguments: dict[str, Any]) -> None:
    assert not allowed(project, tool, **arguments)


def test_another_folder_can_be_opened_for_reading_only(project: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    boundary = Boundary.around(project, (tmp_path / "kept",))
    assert boundary.refuse_read(str(tmp_path / "kept" / "x"), project) is None
    assert boundary.refuse_write(str(tmp_path / "kept" / "x"), project)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(st.sampled_from(["..", ".", "src", "outside", "alias", "/", "new", "~", ".git"]), max_size=7))
def test_what_is_allowed_really_lies_inside(project: Path, parts: list[str]) -> None:
    path = "/".join(parts)
    if allowed(project, "Write", file_path=path):
        real = (project / path).resolve()
        assert real.is_relative_to(project) and ".git" not in real.parts


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ", "/proc/self/cwd/src/real.py", "/proc/self/root/etc/passwd", "/proc/1/environ", "/dev/tty",
        "/dev/fd/0", "/sys/kernel", "to-proc/environ", "to-cwd/src/real.py", "twice/src/real.py", "to-fd",
    ],
)  # fmt: skip
def test_what_means_something_else_in_another_process_is_refused(project: Path, path: str) -> None:
    (project / "to-proc").symlink_to("/proc/self")
    (project / "to-cwd").symlink_to("/proc/self/cwd")
    (project / "twice").symlink_to("to-cwd")
    (project / "to-fd").symlink_to("/dev/fd/0")
    assert not allowed(project, "Read", file_path=path) and not allowed(project, "Write", file_path=path)
    assert not allowed(project, "Grep", pattern="x", path=path)


def test_a_hard_link_to_a_file_outside_is_refused_and_one_inside_is_not(project: Path, tmp_path: Path) -> None:
    (project / "leak").hardlink_to(tmp_path / "secret")
    (project / "src" / "again.py").hardlink_to(project / "src" / "real.py")
    for tool in ("Read", "Write", "Edit"):
        assert not allowed(project, tool, file_path="leak")
        assert allowed(project, tool, file_path="src/again.py")
    assert not allowed(project, "Grep", pattern="x", path="leak")


def test_a_search_reads_through_no_hard_link_to_a_file_outside(project: Path, tmp_path: Path) -> None:
    (project / "src" / "again.py").hardlink_to(project / "src" / "real.py")
    (project / ".git" / "object").hardlink_to(tmp_path / "secret")
    assert allowed(project, "Grep", pattern="x")
    (project / "src" / "deep").mkdir()
    (project / "src" / "deep" / "leak").hardlink_to(tmp_path / "secret")
    (project / "docs").mkdir()
    for path in ({}, {"path": "src"}, {"path": str(project)}, {"path": "alias/deep"}, {"path": "src/deep/leak"}):
        assert not allowed(project, "Grep", pattern="x", **path), path
    assert "leak" in decide("Grep", {"pattern": "x"}, Boundary.around(project), project).reason
    assert allowed(project, "Grep", pattern="x", path="docs")
    # Names alone tell nothing.
    assert allowed(project, "Glob", pattern="**/*")


def test_a_folder_with_too_much_in_it_to_know_is_not_searched(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_tui.agents.links._MOST_ENTRIES", 2)
    assert allowed(project, "Grep", pattern="x", path="src")
    for number in range(3):
        (project / "src" / f"{number}.py").write_text("")
    assert not allowed(project, "Grep", pattern="x", path="src")


def test_a_hard_link_to_a_file_of_the_repository_can_only_be_read(project: Path) -> None:
    (project / ".git" / "config").write_text("")
    (project / "settings").hardlink_to(project / ".git" / "config")
    assert allowed(project, "Read", file_path="settings")
    assert not allowed(project, "Write", file_path="settings") and not allowed(project, "Edit", file_path="settings")


def test_pipes_and_sockets_are_no_files(project: Path) -> None:
    os.mkfifo(project / "pipe")
    assert not allowed(project, "Read", file_path="pipe") and not allowed(project, "Write", file_path="pipe")


@pytest.mark.parametrize(
    "name",
    [".GIT", ".Git/config", ".g\u200cit/x", ".git\u200b", "．git/x", ".git./x", ".git /x", ".git\u00ad/x",
     ".ORCHESTRATOR/x", ".Orchestrator_State.JSON", "\ufeff.git/x", ".claude\u2060/settings.json"],
)  # fmt: skip
def test_a_name_that_a_file_system_may_take_for_a_kept_one_is_kept(project: Path, name: str) -> None:
    assert not allowed(project, "Write", file_path=name)


@pytest.mark.parametrize("path", ["~", "~/x", "~root", "~nobody-at-all/x", "~+/x", " ~/x"])
def test_a_home_is_outside_whosever_it_is(project: Path, path: str) -> None:
    assert not allowed(project, "Read", file_path=path) and not allowed(project, "Write", file_path=path)


def test_links_that_lead_in_circles_are_refused(project: Path) -> None:
    (project / "one").symlink_to("two")
    (project / "two").symlink_to("one")
    assert not allowed(project, "Read", file_path="one/x") and not allowed(project, "Write", file_path="one")


def test_a_project_that_is_reached_by_a_link_is_the_same_project(project: Path, tmp_path: Path) -> None:
    (tmp_path / "nickname").symlink_to(project)
    boundary = Boundary.around(tmp_path / "nickname")
    assert boundary.refuse_read(str(tmp_path / "nickname" / "src" / "real.py"), project) is None
    assert boundary.refuse_read(str(project / "src" / "real.py"), project) is None
    assert boundary.refuse_read(str(tmp_path / "nickname" / ".." / "secret"), project)


def test_the_tool_is_given_what_a_link_leads_to(project: Path) -> None:
    through = decide("Read", {"file_path": "alias/real.py"}, Boundary.around(project), project)
    assert through.allowed and through.place == project / "src" / "real.py"
    answer = gate.hook_answer(through, {"file_path": "alias/real.py", "limit": 5})["hookSpecificOutput"]
    assert answer["updatedInput"] == {"file_path": str(project / "src" / "real.py"), "limit": 5}
    straight = decide("Read", {"file_path": "src/real.py"}, Boundary.around(project), project)
    assert straight.allowed and straight.place is None and "updatedInput" not in str(gate.hook_answer(straight))
