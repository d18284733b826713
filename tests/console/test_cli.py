import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator_tui import __version__, cli
from orchestrator_tui.domain.errors import UsageError


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator_tui", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_no_arguments_mean_to_ask_for_an_idea() -> None:
    assert cli.parse([]) == cli.StartProject()


def test_everything_about_a_start_is_taken_over() -> None:
    flags = "--idea x --name n --directory d --autonomy full --model opus --no-interactive"
    given = cli.parse([*flags.split(), "--set", "a.b=1", "--set", "c.d=2"])
    options = cli.Options(settings=("a.b=1", "c.d=2"), autonomy="full", model="opus")
    assert given == cli.StartProject(idea="x", name="n", directory="d", interactive=False, options=options)


@pytest.mark.parametrize(
    ("arguments", "scenario"), [(["--rehearsal"], "markdown-checker"), (["--rehearsal", "./s.toml"], "./s.toml")]
)
def test_a_rehearsal_has_a_default_scenario(arguments: list[str], scenario: str) -> None:
    assert cli.parse(arguments) == cli.StartProject(rehearsal=scenario)


def test_resume_and_status_take_an_id_or_none() -> None:
    assert cli.parse(["--resume"]) == cli.ContinueProject()
    assert cli.parse(["--resume", "3", "--approve"]) == cli.ContinueProject(reference="3", approve=True)
    assert cli.parse(["--status"]) == cli.ShowStatus()
    assert cli.parse(["--status", "3"]) == cli.ShowStatus(reference="3")


def test_words_for_agents_name_the_project_the_agent_and_the_item() -> None:
    assert cli.parse(["--steer", "Use SQLite."]) == cli.StepIn(action="steer", text="Use SQLite.")
    named = cli.parse(["--steer", "x", "--project", "3", "--agent", "agent-4"])
    assert named == cli.StepIn(action="steer", text="x", reference="3", agent="agent-4")
    assert cli.parse(["--interrupt", "--json"]) == cli.StepIn(action="interrupt", options=cli.Options(json=True))
    assert cli.parse(["--note", "x", "--item", "TASK-3"]) == cli.StepIn(action="note", text="x", item="TASK-3")


@pytest.mark.parametrize("arguments", ["import d --json", "--json import d", "import --json d"])
def test_a_folder_is_imported_with_the_options_anywhere(arguments: str) -> None:
    assert cli.parse(arguments.split()) == cli.ImportFolder(folder="d", options=cli.Options(json=True))


def test_a_server_says_where_and_how() -> None:
    assert cli.parse(["--serve"]) == cli.Serve(port=8080)
    flags = "--serve --host 0.0.0.0 --port 0 --public-url https://a --tls-cert c --tls-key k --rehearsal --json"
    assert cli.parse(flags.split()) == cli.Serve(
        host="0.0.0.0",
        port=0,
        public_url="https://a",
        tls_cert="c",
        tls_key="k",
        rehearsal="markdown-checker",
        options=cli.Options(json=True),
    )


def test_a_worker_says_how_many_projects_it_runs_and_one_is_drained_by_its_name() -> None:
    assert cli.parse(["--worker"]) == cli.Work()
    assert cli.parse(["--worker", "--concurrency", "2"]) == cli.Work(concurrency=2)
    assert cli.parse(["--workers", "--json"]) == cli.UseWorkers(options=cli.Options(json=True))
    afar = cli.Options(connect="http://a")
    assert cli.parse(["--drain", "box-7", "--connect", "http://a"]) == cli.UseWorkers(drain="box-7", options=afar)


def test_tokens_are_made_with_the_narrowest_scope_unless_another_is_named() -> None:
    assert cli.parse(["token", "create", "ada"]) == cli.ManageTokens(action="create", name="ada", scope="read")
    made = cli.parse(["token", "create", "ada", "--scope", "admin"])
    assert made == cli.ManageTokens(action="create", name="ada", scope="admin")
    assert cli.parse(["token", "list"]) == cli.ManageTokens(action="list")
    assert cli.parse(["token", "revoke", "0123"]) == cli.ManageTokens(action="revoke", name="0123")


def test_a_background_server_is_for_this_machine_alone_and_ends_with_everything_it_runs() -> None:
    assert cli.parse(["--serve", "--background"]) == cli.Serve(port=None, background=True)
    assert cli.parse(["--serve", "--background", "--port", "1"]) == cli.Serve(port=1, background=True)
    assert cli.parse(["--stop", "--all"]) == cli.StopRunning(all=True)


def test_the_options_of_a_start_can_be_given_to_another_one() -> None:
    values = ("--set=a.b=1", "--set=c.d=x", "--model=opus", "--autonomy=full", "--log-level=debug", "--config=f.toml")
    options = cli.parse([*values, "--no-sandbox"]).options  # type: ignore[union-attr]
    again = cli.parse(["--serve", "--background", *cli.option_arguments(options)])
    assert isinstance(again, cli.Serve)
    assert again.options == options


def test_a_server_s_projects_are_meant_by_whatever_is_done_with_projects() -> None:
    options = cli.Options(connect="http://a")
    assert cli.parse(["--connect", "http://a"]) == cli.StartProject(options=options)
    assert cli.parse(["--connect", "http://a", "--resume", "3"]) == cli.ContinueProject(reference="3", options=options)
    assert cli.parse(["--status", "--connect", "http://a"]) == cli.ShowStatus(options=options)


def test_json_output_is_never_interactive() -> None:
    assert cli.parse(["--resume", "--json"]) == cli.ContinueProject(interactive=False, options=cli.Options(json=True))


@pytest.mark.parametrize(
    "arguments",
    [
        "--idea x --idea-file y",
        "--worker --serve",
        "--worker --connect http://a",
        "--worker --concurrency 0",
        "--concurrency 2",
        "--workers --drain box-7",
        "--drain box-7 --stop",
        "--status --resume",
        "--status --idea x",
        "--status --rehearsal",
        "--resume --idea x",
        "--resume --name x",
        "--approve",
        "--request-changes x",
        "--resume --approve --request-changes x",
        "--autonomy sometimes",
        "--log-level loud",
        "--idea",
        "--rehears",
        "Build me a house",
        "import",
        "import a b",
        "import a --resume",
        "import a --status 1",
        "import a --idea x",
        "import a --rehearsal",
        "import a --web",
        "import a --console",
        "import a --approve",
        "imports a",
        "tracker",
        "tracker list",
        "tracker status 1 2",
        "tracker move 1",
        "tracker status --to json",
        "tracker status --dry-run",
        "tracker move --to json --resume",
        "tracker move --to json --idea x",
        "--status --to json",
        "--serve --web",
        "--serve --idea x",
        "--serve --resume",
        "--serve --connect http://a",
        "--serve --tls-cert c",
        "--tls-cert c --tls-key k",
        "--serve --port 65536",
        "--background",
        "--serve --background --host ::1",
        "--serve --background --public-url https://a",
        "--serve --background --tls-cert c --tls-key k",
        "--all",
        "--stop 1 --all",
        "--web --connect http://a",
        "--connect http://a --rehearsal ./mine.toml",
        "import a --connect http://a",
        "--steer x --note y",
        "--steer x --interrupt",
        "--steer x --resume",
        "--note x --idea y",
        "--interrupt --stop",
        "--interrupt x",
        "--interrupt --rehearsal",
        "--steer x --web",
        "--project 3",
        "--note x --agent 3",
        "--steer x --item TASK-3",
        "import a --note x",
        "--scope read",
        "import a --scope read",
        "token",
        "token create",
        "token create a b",
        "token list a",
        "token revoke a --scope read",
        "token create a --scope root",
        "token list --connect http://a",
        "token list --resume",
    ],
)
def test_what_contradicts_itself_or_is_unknown_is_refused(arguments: str) -> None:
    with pytest.raises(UsageError) as refused:
        cli.parse(arguments.split())
    assert refused.value.message
    assert refused.value.hint


def test_a_tracker_is_looked_at_synced_and_moved() -> None:
    parsed = [
        cli.parse(line.split()) for line in ("tracker status", "tracker sync 2", "tracker move 3 --to json --dry-run")
    ]
    assert parsed == [
        cli.UseTracker(action="status"),
        cli.UseTracker(action="sync", reference="2"),
        cli.UseTracker(action="move", reference="3", to="json", dry_run=True),
    ]


@pytest.mark.parametrize("flag", ["--steer", "--note"])
def test_saying_nothing_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match="needs words"):
        cli.parse([flag, " "])


def test_changes_without_words_are_refused() -> None:
    with pytest.raises(UsageError, match="needs words"):
        cli.parse(["--resume", "--request-changes", "  "])


@pytest.mark.parametrize("flag", ["--name", "--directory"])
@pytest.mark.parametrize("value", ["", "  ", "caf\udce9"])
def test_a_name_or_a_folder_that_is_blank_or_no_text_is_refused(flag: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"^{flag} is (empty|not text in UTF-8)\.$"):
        cli.parse(["--idea", "x", flag, value])


def test_any_other_word_that_is_no_text_is_refused_but_files_may_be_named_so() -> None:
    for flags in (["--status", "\udce9"], ["--resume", "\udce9"], ["--set", "a=\udce9"], ["--rehearsal", "\udce9"]):
        with pytest.raises(UsageError, match="not text in UTF-8"):
            cli.parse(flags)
    assert cli.parse(["--idea-file", "\udce9"]) == cli.StartProject(idea_file="\udce9")


def test_the_version_and_the_help_go_to_standard_output() -> None:
    assert run("--version").stdout == f"orchestrator-tui {__version__}\n"
    told = run("--help")
    assert told.returncode == 0
    for word in ("--idea-file", "import FOLDER", "exit codes:", "130", "waits for a person"):
        assert word in told.stdout


@pytest.mark.parametrize("arguments", [("--bogus",), ("--idea", " "), (), ("--no-interactive",)])
def test_a_usage_error_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    told = run(*arguments)
    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr.startswith("orchestrator-tui: ")
    assert told.stderr.count("\n") == 1


def test_an_error_is_also_told_as_json_when_json_is_wanted() -> None:
    told = run("--json", "--idea-file", "/no/such/file")
    assert told.returncode == 2
    assert told.stdout.startswith('{"type": "error", "title": "Idea", "message": "/no/such/file cannot be read')
    assert told.stderr.startswith("orchestrator-tui: Idea: /no/such/file cannot be read")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", ["--version", "--help", "--json --idea-file /no/such/file"])
def test_a_full_disk_is_told_without_a_traceback(arguments: str) -> None:
    command = [sys.executable, "-m", "orchestrator_tui", *arguments.split()]
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert told.returncode == 1
    lines = told.stderr.splitlines()
    assert lines[-1] == "orchestrator-tui: The output could not be written: No space left on device."
    assert all(line.startswith("orchestrator-tui: ") for line in lines)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_good_as_the_null_device(closed: str) -> None:
    command = f'"$0" -m orchestrator_tui --bogus {closed}'
    told = subprocess.run(
        ["sh", "-c", command, sys.executable], capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 2
    assert told.stderr.count("\n") == (0 if "2>" in closed else 1)


def test_an_error_cannot_drive_the_terminal() -> None:
    told = run("--idea-file", "/no/\x1b[31mred")
    assert "\x1b" not in told.stderr
    assert "red cannot be read" in told.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["--bogus"], []])
def test_nothing_heavy_is_imported_before_the_command_line_is_right(arguments: list[str]) -> None:
    program = (
        "import sys; from orchestrator_tui.__main__ import main; main(sys.argv[1:]);"
        "heavy = {'pydantic', 'sqlalchemy', 'rich', 'textual', 'asyncio', 'claude_agent_sdk'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    command = [sys.executable, "-c", program, *arguments]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
