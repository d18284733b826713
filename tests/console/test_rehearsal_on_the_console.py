import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.scenarios import write_scenario

COMMAND = [sys.executable, "-m", "orchestrator_tui"]


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "ORCHESTRATOR_HOME": str(tmp_path / "home")}


def run(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_question_ends_a_run_without_a_person_and_flags_answer_it(environ: Mapping[str, str], tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s", items=1)
    single = [f"--set=phases.{phase}.pattern=single" for phase in ("ideation", "architecture")]
    first = run(environ, "--rehearsal", str(scenario), "--no-interactive", *single)
    assert first.returncode == 3, first.stderr
    assert "orchestrator-tui --resume 1 --approve" in first.stdout
    assert "\x1b" not in first.stdout

    (told,) = json.loads(run(environ, "--status", "1", "--json").stdout)
    assert (told["status"], told["waiting_for"]["phase"]) == ("paused", "ideation")

    again = run(environ, "--resume", "--request-changes", "Leave out the moon.", "--json")
    assert again.returncode == 3, again.stderr
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    assert lines[0]["type"] == "InputAnswered"
    assert lines[-1]["new"] == "paused"

    approved = run(environ, "--resume", "1", "--approve")
    assert approved.returncode == 3, approved.stderr
    assert "Approve the architecture" in approved.stdout


def test_a_reader_that_goes_away_stops_the_run_quietly(environ: Mapping[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "--rehearsal", "--autonomy", "full"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 130
        assert process.stderr.read() == b""
    (told,) = json.loads(run(environ, "--status", "--json").stdout)
    assert told["status"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_and_says_how_to_resume(environ: Mapping[str, str], number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--rehearsal", "--autonomy", "full"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "started, session" in line:
                break
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert [line for line in rest.splitlines() if "/5] " in line or "      - " in line]
    steps = [line.partition("] ")[0].rpartition("[")[2] for line in rest.splitlines() if "/5] " in line]
    assert steps == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    assert "orchestrator-tui --resume 1" in rest
    (told,) = json.loads(run(environ, "--status", "--json").stdout)
    assert told["status"] == "stopped"


@pytest.mark.parametrize("ignored", ["HUP", "INT"])
def test_the_end_of_a_terminal_is_nothing_to_a_program_that_was_started_to_outlive_it(
    environ: Mapping[str, str], ignored: str
) -> None:
    """As by `nohup`; what a shell has ignored for its background is taken all the same."""
    command = f"trap '' {ignored}; exec \"$@\""
    with subprocess.Popen(
        ["sh", "-c", command, "sh", *COMMAND, "--rehearsal", "--autonomy", "full"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "started, session" in line:
                break
        process.send_signal(signal.SIGHUP)
        if ignored == "HUP":
            assert any("started, session" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 0
    (told,) = json.loads(run(environ, "--status", "--json").stdout)
    assert (told["status"], told["reason"]) == ("stopped", "user_request")


def test_the_signal_to_quit_leaves_at_once_and_what_is_stored_goes_on(environ: Mapping[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "--rehearsal", "--autonomy", "full"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if "started, session" in line:
                break
        process.send_signal(signal.SIGQUIT)
        assert process.wait(60) == 130
        assert process.stderr.read() == (
            "Leaving at once. The stored state is enough to resume from. Go on with: orchestrator-tui --resume 1\n"
        )
    (told,) = json.loads(run(environ, "--status", "--json").stdout)
    assert told["status"] == "stopped"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_status_that_cannot_be_written_is_one_line(environ: Mapping[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [*COMMAND, "--status"], env=dict(environ), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert told.returncode == 1
    assert told.stderr == "orchestrator-tui: Error: The output could not be written: No space left on device.\n"


def test_resume_with_a_closed_output_says_what_is_wrong(environ: Mapping[str, str]) -> None:
    told = subprocess.run(
        ["sh", "-c", '"$0" -m orchestrator_tui --resume --no-interactive >&-', sys.executable],
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert told.stderr.startswith("orchestrator-tui: Project: There is no project: ")
    assert told.stderr.count("\n") == 1


def test_a_used_up_budget_is_told_with_its_way_out(environ: Mapping[str, str]) -> None:
    paused = run(environ, "--rehearsal", "--autonomy", "full", "--set", "agent.max_sessions=1")
    assert paused.returncode == 3, paused.stderr
    assert "--set limits.project.sessions=2" in paused.stdout.partition("is paused (budget)")[2]
    (told,) = json.loads(run(environ, "--status", "--json").stdout)
    assert told["waiting_for"]["kind"] == "budget"
    assert told["waiting_for"]["phase"] == "ideation"
    assert "--set limits.project.sessions=2" in told["waiting_for"]["title"]


def test_money_that_is_used_up_is_raised_where_the_project_is_resumed(environ: Mapping[str, str]) -> None:
    paused = run(environ, "--rehearsal", "--autonomy", "full", "--set", "limits.project.money=0.0001")
    assert paused.returncode == 3, paused.stderr
    assert "--resume 1 --set limits.project.money=" in paused.stdout.partition("is paused (budget)")[2]
    (told,) = json.loads(run(environ, "--status", "1", "--json").stdout)
    [money] = [one for one in told["limits"] if (one["scope"], one["what"]) == ("project", "money")]
    used = money["used"]
    assert used >= 0.0001

    # So many sessions that the planners go on with their conversations, and no more.
    more = ("--set", "limits.project.money=none", "--set", "limits.phase.sessions=6", "--set", "cluster.priority=9")
    again = run(environ, "--resume", "1", "--json", *more)
    assert again.returncode == 3, again.stderr
    assert ": its priority is 9. Nothing of it waits now: that counts where cluster.enabled" in again.stderr
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert [line["kind"] for line in lines if line["type"] == "AgentPrompted"].count("resumed") >= 1
    (told,) = json.loads(run(environ, "--status", "1", "--json").stdout)
    assert not [one for one in told["limits"] if one["what"] == "money"]
    assert told["cost_usd"] > used


@pytest.mark.parametrize("scenario", ["build me a thing", "/tmp"])
def test_what_is_no_scenario_leads_to_the_idea(environ: Mapping[str, str], scenario: str) -> None:
    told = run(environ, "--rehearsal", scenario)
    assert told.returncode == 2
    assert '--idea "…" --rehearsal' in told.stderr
    assert told.stderr.count("\n") == 1


def test_an_unknown_project_is_one_line_and_exit_code_2(environ: Mapping[str, str]) -> None:
    told = run(environ, "--status", "9")
    assert told.returncode == 2
    assert told.stderr.startswith("orchestrator-tui: Project: There is no project")
    assert told.stderr.count("\n") == 1


def test_only_to_look_makes_no_database_where_a_lost_one_was(environ: Mapping[str, str]) -> None:
    listed = run(environ, "--status")
    assert (listed.returncode, listed.stdout.split(".")[0]) == (0, "There are no projects yet")
    for option in ("--resume", "--stop", "--logs"):
        told = run(environ, option, "1")
        assert told.returncode == 2
        assert "orchestrator-tui import FOLDER" in told.stderr
    assert not list(Path(environ["ORCHESTRATOR_HOME"]).rglob("*.db"))


def test_what_nobody_planned_for_is_one_line_that_names_the_log(environ: Mapping[str, str], tmp_path: Path) -> None:
    logs = tmp_path / "home" / "logs"
    breaking = (
        "import sys; from orchestrator_tui import preflight; preflight.missing_database = None;"
        "from orchestrator_tui.__main__ import main; sys.exit(main(['--status']))"
    )
    told = subprocess.run(
        [sys.executable, "-c", breaking], env=dict(environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert str(logs) in told.stderr
    assert "Traceback" in (logs / "orchestrator.log").read_text()


def test_no_module_is_taken_from_the_folder_that_it_is_started_in(environ: Mapping[str, str], tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("h2", "sniffio", "rich", "sqlalchemy", "aiosqlite"):
        (here / f"{name}.py").write_text(f"open('imported', 'a').write('{name}')\n")
    told = subprocess.run(
        [*COMMAND, "--rehearsal", "--no-interactive"],
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=here,
        capture_output=True,
        check=False,
    )
    assert told.returncode == 3
    assert not (here / "imported").exists()
