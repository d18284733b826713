import stat
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.config.secrets import Secrets
from orchestrator_tui.tui.commands import COMMANDS, Kind, find_command
from orchestrator_tui.tui.input_history import InputHistory, load_history, save_history
from orchestrator_tui.tui.keymap import ACTIONS
from orchestrator_tui.tui.slash import (
    Call,
    CommandProblem,
    Nothing,
    Sentence,
    Steer,
    Value,
    complete,
    parse,
    resolve,
)

PROJECTS = (Value("1", "my-portfolio"), Value("2", "task manager"), Value("12", "task-list"))


def values(kind: Kind) -> Iterable[Value]:
    known = {
        Kind.PROJECT: PROJECTS,
        Kind.AGENT: (Value("agent-1", "TASK-32"), Value("agent-2", "TASK-33")),
        Kind.THEME: (Value("dark"), Value("light")),
        Kind.PHASE: (Value("ideation"), Value("implement")),
        Kind.SETTING: (Value("agent.model"), Value("log.level")),
    }
    return known.get(kind, ())


def nothing(kind: Kind) -> Iterable[Value]:
    return ()


def called(text: str) -> tuple[str, dict[str, str]]:
    call = parse(text)
    assert isinstance(call, Call)
    return call.command.name, dict(call.values)


def problem(text: str) -> str:
    with pytest.raises(CommandProblem) as caught:
        resolve(parse(text), values)
    return caught.value.line()


def offered(text: str) -> list[str]:
    return [completion.text for completion in complete(text, values)]


def test_every_command_of_the_design_is_there_once() -> None:
    assert [command.usage for command in COMMANDS] == [
        "/projects", "/status [id]", "/resume <id>", "/stop [id]", "/approve", "/reject [words]", "/edit",
        "/view [phase]", "/logs [agent]", "/items [item]", "/sync [id]", "/note <words>", "/interrupt [agent]",
        "/permissions [id]", "/diff [item]", "/cost [id]", "/limit [change]", "/priority [number]", "/retry [hint]",
        "/skip", "/config [setting] [value]", "/theme [name]", "/workers", "/replay <id>", "/help [command]", "/quit",
    ]  # fmt: skip
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))


def test_a_command_that_has_a_key_names_its_action() -> None:
    assert {command.action for command in COMMANDS} - {""} <= {action.id for action in ACTIONS}


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("/projects", "projects", {}),
        ("  /STATUS  ", "status", {}),
        ("/status 3", "status", {"id": "3"}),
        ("/resume 9", "resume", {"id": "9"}),
        ('/resume "task manager"', "resume", {"id": "task manager"}),
        ("/reject please use\nSQLite, not files", "reject", {"words": "please use\nSQLite, not files"}),
        ("/reject\nno", "reject", {"words": "no"}),
        ("/reject", "reject", {}),
        ("/config agent.model claude opus", "config", {"setting": "agent.model", "value": "claude opus"}),
        ("/q", "quit", {}),
        ("/?", "help", {}),
    ],
)
def test_a_command_is_understood(text: str, name: str, arguments: dict[str, str]) -> None:
    assert called(text) == (name, arguments)


def test_a_sentence_and_words_to_an_agent_are_understood() -> None:
    assert parse(" A todo app / with tags @home \n") == Sentence("A todo app / with tags @home")
    assert parse("@agent-1  use the\nclock") == Steer("agent-1", "use the\nclock")
    assert parse(" \n") == Nothing()


def test_a_command_s_name_without_its_slash_is_noticed() -> None:
    assert parse("Quit") == Sentence("Quit", meant="quit")
    assert parse("quit smoking tracker") == Sentence("quit smoking tracker")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/resum 3", "There is no command /resum. Did you mean /resume <id>?"),
        ("/exot", "There is no command /exot. Did you mean /quit?"),
        ("/zzzzzz", "There is no command /zzzzzz. Type /help to see all commands."),
        ("/", "A command is expected after the slash. Type /help to see all of them."),
        ("/resume", "/resume needs <id>. Usage: /resume <id>"),
        ('/resume ""', "/resume needs <id>. Usage: /resume <id>"),
        ("/approve it", "/approve does not take 'it' as well. Usage: /approve"),
        ("/stop 1 2", "/stop does not take '2' as well. Usage: /stop [id]"),
        ("/resume 9", "There is no project '9'. There are: 1 (my-portfolio), 2 (task manager), 12 (task-list)."),
        ("/resume my-portfolo", "There is no project 'my-portfolo'. Did you mean 1 (my-portfolio)?"),
        ("/resume task", "'task' fits 2 (task manager), 12 (task-list). Say which project you mean."),
        ("/theme drak", "There is no theme 'drak'. Did you mean dark?"),
        ("/diff 3", "There is no work item '3'. There is no work item yet."),
        ("/help resum", "There is no command /resum. Did you mean /resume <id>?"),
        ("@", "@ says nothing to an agent. Usage: @agent text, such as @agent-1 use SQLite"),
        ("@ hello", "@ says nothing to an agent. Usage: @agent text, such as @agent-1 use SQLite"),
        ("@agent-1", "@agent-1 says nothing to an agent. Usage: @agent text, such as @agent-1 use SQLite"),
        ("@agnt-1 stop", "There is no agent 'agnt-1'. Did you mean agent-1 (TASK-32)?"),
    ],
)
def test_what_cannot_be_understood_is_told_with_what_could(text: str, line: str) -> None:
    assert problem(text) == line


def test_of_many_projects_an_error_tells_a_few() -> None:
    many = [Value(str(number)) for number in range(3000)]
    with pytest.raises(CommandProblem) as caught:
        resolve(parse("/resume x"), lambda kind: many)
    assert caught.value.hint == "There are: 0, 1, 2, 3, 4, 5, 6, 7 and 2,992 more."


@pytest.mark.parametrize(
    ("text", "id"),
    [("/resume 1", "1"), ("/resume MY-PORTFOLIO", "1"), ("/resume my", "1"), ('/resume "task m"', "2")],
)
def test_a_project_is_found_by_id_name_or_beginning(text: str, id: str) -> None:
    call = resolve(parse(text), values)
    assert isinstance(call, Call)
    assert call.get("id") == id


def test_a_number_is_never_taken_for_a_longer_one() -> None:
    with pytest.raises(CommandProblem, match="no project '1'"):
        resolve(parse("/stop 1"), lambda kind: [Value("12", "1st try")])


def test_an_agent_is_found_by_what_it_works_on_and_a_command_by_its_alias() -> None:
    assert resolve(parse("@task-33 hurry"), values) == Steer("agent-2", "hurry")
    call = resolve(parse("/help /exit"), nothing)
    assert isinstance(call, Call)
    assert call.get("command") == "quit"


def test_an_error_counts_projects_that_are_not_loaded_as_well() -> None:
    def known(kind: Kind) -> list[Value]:
        return [Value(str(number), f"p{number}") for number in range(3000, 2800, -1)]

    with pytest.raises(CommandProblem) as caught:
        resolve(parse("/resume 99999"), known, {Kind.PROJECT: 3000})
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("2993 (p2993) and 2,992 more.")


def test_free_text_is_resolved_as_it_is() -> None:
    for text in ("/reject no: 1 is not /resume", "A sentence", " "):
        assert resolve(parse(text), nothing) == parse(text)


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("/re", ["/resume ", "/reject ", "/retry ", "/replay "]),
        ("/q", ["/quit"]),
        ("/ex", ["/quit"]),
        ("/resume ", ["/resume 1", "/resume 2", "/resume 12"]),
        ("/resume 1", ["/resume 1", "/resume 12"]),
        ("/resume task", ["/resume 2", "/resume 12"]),
        ("/continue my", ["/continue 1"]),
        ("/theme d", ["/theme dark"]),
        ("/config log", ["/config log.level"]),
        ("/config log.level in", []),
        ("/help res", ["/help resume"]),
        ("/reject 1", []),
        ("/approve ", []),
        ("/nope ", []),
        ("@", ["@agent-1 ", "@agent-2 "]),
        ("@task-33", ["@agent-2 "]),
        ("@agent-1 us", []),
        ("A sentence", []),
        ("", []),
    ],
)
def test_a_text_is_completed(text: str, texts: list[str]) -> None:
    assert offered(text) == texts


def test_after_a_slash_every_command_is_offered_in_the_order_of_help() -> None:
    assert [completion.shown for completion in complete("/", values)] == [f"/{command.name}" for command in COMMANDS]


def test_a_value_with_a_blank_is_completed_in_quotes_and_understood_again() -> None:
    (only,) = complete("/theme so", lambda kind: [Value("solar flare")])
    assert only.text == '/theme "solar flare"'
    assert called(only.text) == ("theme", {"name": "solar flare"})


@given(st.text(alphabet=st.one_of(st.sampled_from('/@ "\n'), st.characters()), max_size=60))
def test_any_text_is_understood_or_told_in_one_line(text: str) -> None:
    complete(text, values)
    try:
        resolve(parse(text), values)
    except CommandProblem as error:
        assert "\n" not in error.line()


def test_aliases_lead_to_their_command() -> None:
    for command in COMMANDS:
        for name in (command.name, *command.aliases):
            assert find_command(name.upper()) is command


def test_history_has_each_text_once_newest_last_and_is_bounded() -> None:
    history = InputHistory()
    for text in ("/projects", "a", " b ", "a", "", "c"):
        history = history.added(text, most=3)
    assert history.entries == ("b", "a", "c")


def test_history_is_searched_by_its_beginning_newest_first() -> None:
    history = InputHistory(("/resume 1", "A todo app", "/resume 2"))
    assert history.search("/resume") == ("/resume 2", "/resume 1")
    assert history.search("") == ("/resume 2", "A todo app", "/resume 1")


def test_history_holds_no_credentials() -> None:
    secrets = Secrets({"LINEAR_API_KEY": "hidden-value"})
    history = InputHistory().added("use sk-ant-abcdefgh").added("and hidden-value", hide=secrets.mask)
    assert history.entries == ("use ***", "and ***")


def test_history_is_kept_in_a_private_file_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "data" / "history.jsonl"
    history = InputHistory().added("two\nlines — with ünicode").added("/quit")
    save_history(file, history)
    assert load_history(file) == history
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    save_history(file, history.added("more"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["history.jsonl"]


def test_a_missing_or_damaged_history_costs_only_what_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    assert load_history(file) == InputHistory()
    file.write_bytes(b'"first"\n{"a": 1}\n\xff\n"sec\n' + b"[" * 100_000 + b'\n"last"\n"first"\n')
    assert load_history(file).entries == ("last", "first")
