import os
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.scenario import load_scenario, shipped_names, shipped_scenario
from orchestrator_tui.agents.rehearsal.schema import StatusFault
from orchestrator_tui.agents.rehearsal.summary import main, summarize
from orchestrator_tui.domain.errors import ScenarioBroken
from orchestrator_tui.domain.statuses import PhaseName
from tests.rehearsal.support import DONE, answer, check_structured_answers, scenario, session_request, tables

HEAD = 'name = "small"\ntitle = "Small"\nidea = "a thing"\nproject_name = "p"\n'
SAY: dict[str, Any] = {"say": "hello"}


@pytest.mark.parametrize(
    ("broken", "place", "expected"),
    [
        (tables(), "answers", "needs at least one entry"),
        ({"name": "small"}, "title", "missing key (and 3 more problems)"),
        (tables(answer(SAY), speed=3), "speed", "unknown key"),
        (tables(answer(SAY), name="Not A Name"), "name", "pattern"),
        (tables(answer(SAY, phase="coding")), "answer 1 (coding/developer/* attempt *), phase", "'ideation'"),
        (tables(answer(SAY), answer(SAY, role="pilot")), "answer 2", 'unknown role "pilot", implement has developer'),
        (tables(answer(SAY, attempt=0)), "attempt", "must be at least 1"),
        (tables(answer()), "turns", "needs at least one entry"),
        (tables(answer(SAY, {})), "answer 1 (implement/developer/* attempt *), turn 2", "at least one of say"),
        (tables(answer({"tool": "Bash", "structured": {}})), "turn 1", "found tool and structured"),
        (tables(answer({"say": "x", "input": {"a": 1}})), "turn 1", "need a tool"),
        (tables(answer({"tool": "Bash", "inputs": {}})), "turn 1, inputs", "unknown key"),
        (tables(answer({"tool": "W", "input": {"a": "x"}, "input_files": {"a": "f"}})), "turn 1", "both input and"),
        (tables(answer({"fault": {"kind": "boom"}})), "turn 1, fault", "'status', 'stall'"),
        (tables(answer({"fault": {"kind": "cut", "seconds": 1}})), "turn 1, fault.cut.seconds", "unknown key"),
        (tables(answer({"fault": {"kind": "status", "status": 200}})), "fault.status.status", "400"),
        (tables(answer({"fault": {"kind": "status", "status": 529, "resets_in": 1}})), "turn 1", "needs status = 429"),
        (tables(answer(SAY, captures={"green": "a("})), "captures", "green: not a regular expression"),
        (tables(answer(SAY, captures={"green": "abc"})), "captures", "exactly one group"),
        (tables(answer(SAY, captures={"subject": "(a)"})), "captures", "choose another name"),
        (tables(answer({"tool": "W", "input_files": {"content": "no.py"}})), "turn 1, input_files", "no file no.py"),
        (tables(answer({"structured_file": "no.json"})), "turn 1, structured_file", "no file no.json"),
        (tables(answer({"structured_file": "../../up.json"})), "turn 1, structured_file", "outside"),
        (tables(answer({"structured_file": "list.json"})), "turn 1", "expected a JSON object"),
        (tables(answer({"structured_file": "bad.json"})), "turn 1", "not JSON"),
        (tables("text"), "answer 1", "must be a table"),  # type: ignore[arg-type]
    ],
)
def test_a_broken_scenario_names_its_file_the_place_and_what_was_expected(
    tmp_path: Path, broken: dict[str, Any], place: str, expected: str
) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bad.json").write_text("{")
    answers = broken.pop("answers", [])
    with pytest.raises(ScenarioBroken) as caught:
        scenario(*answers, folder=tmp_path, **broken) if "title" in broken else _load_only(tmp_path, broken)
    assert "small.toml" in caught.value.message
    assert place in caught.value.message
    assert expected in caught.value.message


def _load_only(folder: Path, broken: dict[str, Any]) -> None:
    file = folder / "small.toml"
    file.write_text("".join(f'{key} = "{value}"\n' for key, value in broken.items()))
    load_scenario(file)


def test_a_missing_file_and_a_file_that_is_not_toml_are_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioBroken, match=re.escape(f"{tmp_path / 'scenario.toml'}: there is no such file")):
        load_scenario(tmp_path)
    (tmp_path / "scenario.toml").write_text("name = ")
    with pytest.raises(ScenarioBroken, match="not TOML"):
        load_scenario(tmp_path)


def test_every_problem_is_counted_but_only_the_first_is_told() -> None:
    with pytest.raises(ScenarioBroken) as caught:
        scenario(answer(SAY, attempt=0), speed=1)
    assert re.fullmatch(r"small\.toml: answer 1 .*: must be at least 1 \(and 2 more problems\)\.", caught.value.message)


def test_a_blank_idea_is_refused() -> None:
    with pytest.raises(ScenarioBroken, match="idea: must not be blank"):
        scenario(answer(SAY), idea=" \n")


def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScenarioBroken, match=re.escape(f"{tmp_path / 'pipe'}: cannot be read: it is not an ordinary")):
        load_scenario(tmp_path / "pipe")
    with pytest.raises(ScenarioBroken, match="pipe cannot be read: it is not an ordinary"):
        scenario(answer({"tool": "Write", "input_files": {"content": "pipe"}}), folder=tmp_path)


def test_a_path_that_no_file_can_have_is_told() -> None:
    with pytest.raises(ScenarioBroken, match="file name too long"):
        load_scenario(Path("x" * 5000))


def test_a_folder_and_its_file_load_the_same(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(HEAD + '[[answers]]\nphase = "deploy"\nrole = "*"\n[[answers.turns]]\nsay = "hi"\n')
    assert load_scenario(tmp_path) == load_scenario(file)


def test_the_most_specific_answer_wins_and_the_first_of_equals() -> None:
    loaded = scenario(
        answer({"say": "any"}, role="*"),
        answer({"say": "role"}),
        answer({"say": "attempt"}, role="*", attempt=2),
        answer({"say": "subject"}, role="*", subject="slug"),
        answer({"say": "subject again"}, role="*", subject="slug"),
    )

    def said(role: str, subject: str, attempt: int) -> str | None:
        found = loaded.find(PhaseName.IMPLEMENT, role, subject, attempt)
        return found.turns[0].say if found else None

    assert said("repairer", "", 1) == "any"
    assert said("developer", "other", 1) == "role"
    assert said("developer", "other", 2) == "attempt"
    assert said("developer", "slug", 2) == "subject"
    assert loaded.find(PhaseName.DEPLOY, "deployer", "", 1) is None


def test_placeholders_are_filled_in_text_input_and_structured_answers_but_not_in_files(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("${directory}")
    write = {
        "say": "For ${subject}",
        "tool": "Write",
        "input": {"file_path": "${directory}/a.py", "edits": [{"to": "${green} ${HOME} ${unknown}"}], "n": 3},
        "input_files": {"content": "made.py"},
    }
    loaded = scenario(
        answer(write, {"structured": {"notes": "${green}"}}, captures={"green": "commit: ([0-9a-z]+)"}),
        folder=tmp_path,
    )
    first, second = loaded.turns(session_request(), 1)
    assert first.say == "For slug"
    assert first.input == {
        "file_path": "/somewhere/project/a.py",
        "edits": [{"to": "abc123 ${HOME} ${unknown}"}],
        "n": 3,
        "content": "${directory}",
    }
    assert (second.tool, second.input) == ("StructuredOutput", {"notes": "abc123"})


def test_a_capture_that_finds_nothing_is_told() -> None:
    loaded = scenario(answer(SAY, captures={"green": "red: (.+)"}))
    with pytest.raises(ScenarioBroken, match="looks for green in the prompt of implement/developer/slug attempt 1"):
        loaded.turns(session_request(), 1)


def test_the_attempt_grows_with_the_prompts_of_a_session() -> None:
    loaded = scenario(answer({"say": "one"}, attempt=1), answer({"say": "three"}, attempt=3))
    assert loaded.turns(session_request(attempt=2), 2)[0].say == "three"


def test_a_developer_without_an_answer_for_a_later_attempt_undoes_and_repeats_the_first() -> None:
    for marks in ({"attempt": 1}, {"attempt": "*"}):
        undo, *rest = scenario(answer(SAY, DONE, **marks)).turns(session_request(), 2)
        assert (undo.tool, undo.input) == ("Bash", {"command": "git restore --staged --worktree ."})
        assert [turn.tool for turn in rest] == [None, "StructuredOutput"]


def test_a_developer_repeats_the_last_attempt_that_has_an_answer_of_its_own() -> None:
    loaded = scenario(
        answer({"say": "any"}),
        answer({"say": "wrong"}, subject="slug", attempt=1),
        answer({"say": "mended"}, subject="slug", attempt=2),
    )
    assert [loaded.turns(session_request(attempt=attempt), 1)[-1].say for attempt in (1, 2, 3, 4)] == [
        "wrong",
        "mended",
        "mended",
        "mended",
    ]
    assert loaded.turns(session_request(subject="other", attempt=3), 1)[-1].say == "any"


def test_other_roles_repeat_nothing_and_say_what_is_missing() -> None:
    loaded = scenario(answer(SAY, role="repairer", attempt=1))
    with pytest.raises(ScenarioBroken, match=r"^the scenario small has no answer for implement/repairer attempt 2$"):
        loaded.turns(session_request(role="repairer", subject=""), 2)


def test_a_turn_of_only_a_fault_goes_before_the_next_turn() -> None:
    fault = {"fault": {"kind": "status", "status": 429, "times": 2}}
    other = {"fault": {"kind": "status", "status": 529}}
    turns = scenario(answer(fault, {**SAY, **other}, fault)).answers[0].turns
    assert [turn.say for turn in turns] == ["hello", "Done."]
    assert [[fault.status for fault in turn.faults if isinstance(fault, StatusFault)] for turn in turns] == [
        [429, 529],
        [429],
    ]


def test_the_summary_names_every_answer_and_the_roles_without_one() -> None:
    loaded = scenario(
        answer({"tool": "Write", "input": {"file_path": "${directory}/a.py"}}, DONE, subject="slug", attempt=1),
        answer({"fault": {"kind": "cut"}, **SAY}, phase="testing", role="tester"),
    )
    page = summarize(loaded)
    assert "  developer slug attempt 1: 2 turns: Write a.py, answer" in page
    assert "  tester: 1 turns: [cut] text" in page
    assert "  no answer for: repairer" in page


def test_the_command_prints_the_page_or_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(HEAD + '[[answers]]\nphase = "deploy"\nrole = "*"\n[[answers.turns]]\nsay = "hi"\n')
    assert main([str(file)]) == 0
    assert "small: Small (project p)" in capsys.readouterr().out
    file.write_text("")
    assert main([str(file)]) == 2
    assert f"{file}: name" in capsys.readouterr().err
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_an_unknown_shipped_scenario_is_told_with_those_there_are() -> None:
    with pytest.raises(ScenarioBroken) as caught:
        shipped_scenario("no-such")
    assert caught.value.hint.startswith("Shipped scenarios: ")
    assert '--idea "…" --rehearsal' in caught.value.hint


def test_every_shipped_scenario_loads_and_its_structured_answers_fit() -> None:
    for name in shipped_names():
        loaded = load_scenario(shipped_scenario(name))
        assert loaded.name == name
        check_structured_answers(loaded)
