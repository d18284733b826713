"""The options of the command line, and what its help says."""

import argparse
from typing import Any, NoReturn

from orchestrator_tui.cli.invocations import (
    DEFAULT_API_PORT,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_SCENARIO,
    DOCTOR,
    IMPORT,
    PERMISSIONS,
    POLICY,
    PROGRAM,
    SCOPES,
    TOKEN,
    TRACKER,
    TRACKER_ACTIONS,
)
from orchestrator_tui.domain.errors import UsageError

_EPILOG = """\
exit codes:
  0    the program is finished; or a signal stopped the run, and everything is saved
  1    the run failed
  2    the command line, the settings or the idea cannot be used
  3    it waits for a person; what it waits for and how to answer is printed
  130  left in a hurry; what is stored is enough for --resume to go on
  policy check: 0 allowed, 3 to be asked, 1 denied, 2 it could not be checked

examples:
  orchestrator-tui                                    the dashboard
  orchestrator-tui --web                              the dashboard in a browser
  orchestrator-tui --rehearsal --autonomy full
  orchestrator-tui --idea "A checker for links in Markdown files" --name mdcheck
  orchestrator-tui --idea-file idea.md --no-interactive --json
  orchestrator-tui --stop                             from another terminal
  orchestrator-tui --stop --all                       and what runs in the background
  orchestrator-tui --steer "Use SQLite."              say it to the agent at work
  orchestrator-tui --resume 1 --request-changes "Leave out the web page."
  orchestrator-tui doctor                             whether this machine has what a run needs
  orchestrator-tui import ~/projects/mdcheck          a project that the database lost, or that you moved
  orchestrator-tui policy check 'git push'            may agents run this here, and why
  orchestrator-tui tracker status 1                   where its work items are kept
  orchestrator-tui tracker move 1 --to json           keep them in a file in its folder
  orchestrator-tui permissions 1                      commands you allowed for good there
  orchestrator-tui --serve                            the engine without a screen
  orchestrator-tui --connect http://127.0.0.1:8080    the dashboard on it
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        text = message[:1].upper() + message[1:]
        raise UsageError(f"{text}.", hint=f"{PROGRAM} --help lists what is possible.")


def make_parser() -> argparse.ArgumentParser:
    """A parser of all options; what does not go together is checked afterwards."""
    parser = _Parser(
        prog=PROGRAM,
        description="From a sentence to finished, tested software: Claude agents do the work, you are in charge.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    _add_start(parser.add_argument_group("start a project"))
    _add_continue(parser.add_argument_group("look at a project, or go on with it"))
    _add_manner(parser.add_argument_group("how it runs"))
    _add_web(parser.add_argument_group("in a browser"))
    _add_serve(parser.add_argument_group("on another machine, or without a screen"))
    _add_workers(parser.add_argument_group("on several machines"))
    other = parser.add_argument_group("other")
    other.add_argument("-h", "--help", action="store_true", help="show this text")
    other.add_argument("--version", action="store_true", help="show the version")
    return parser


# `Any` because argparse has no public name for the type of a group.
def _add_start(group: Any) -> None:
    group.add_argument("--idea", metavar="TEXT", help="what to build")
    group.add_argument("--idea-file", metavar="FILE", help="file that says what to build; - reads standard input")
    group.add_argument("--name", help="name of the project; made from the idea otherwise")
    group.add_argument("--directory", metavar="DIR", help="folder of the project; in the workspace otherwise")
    group.add_argument(
        "--rehearsal",
        nargs="?",
        const=DEFAULT_SCENARIO,
        metavar="SCENARIO",
        help=f"run with a scripted model, without credentials and at no cost; "
        f"a shipped scenario's name or a path ({DEFAULT_SCENARIO})",
    )


def _add_continue(group: Any) -> None:
    group.add_argument(
        "--status", nargs="?", const="", metavar="ID", help="list the projects, or show one (number, id or name)"
    )
    group.add_argument(
        "--logs", nargs="?", const="", metavar="ID", help="what a project has done; the one that changed last"
    )
    group.add_argument("--follow", action="store_true", help="with --logs: go on while the project runs")
    group.add_argument("--stop", nargs="?", const="", metavar="ID", help="stop the project that runs, wherever it does")
    group.add_argument("--all", action="store_true", help="with --stop: all that run, and end the background server")
    group.add_argument(
        "--resume", nargs="?", const="", metavar="ID", help="go on with a project; the most recent unfinished one"
    )
    group.add_argument(
        "--steer", metavar="TEXT", help="say something to an agent at work; it hears it at its next step"
    )
    group.add_argument("--note", metavar="TEXT", help="say something to the next session")
    group.add_argument(
        "--interrupt", action="store_true", help="stop the present step of the agents; their sessions go on"
    )
    group.add_argument("--project", metavar="ID", help="with these three: whose agents; those of the one that runs")
    group.add_argument(
        "--agent", metavar="NAME", help="with --steer, --interrupt: which one, such as agent-3 or TASK-3"
    )
    group.add_argument("--item", metavar="KEY", help="with --note: to the next session of this work item")
    group.add_argument(
        "words",
        nargs="*",
        metavar="COMMAND",
        help=f"{IMPORT} FOLDER builds a project again that the database does not have; "
        f"{TRACKER} {'|'.join(TRACKER_ACTIONS)} [ID] is about where work items are kept; "
        f"{PERMISSIONS} [ID] lists the commands you allowed for good in a project; "
        f"{TOKEN} create NAME, {TOKEN} list, {TOKEN} revoke ID are about who may use a server; "
        f"{POLICY} check 'COMMAND' says whether agents may run a command here; "
        f"{DOCTOR} looks whether this machine has what a run needs",
    )
    group.add_argument(
        "--to", metavar="KIND", help=f"with {TRACKER} move: database, json, linear, or an installed tracker"
    )
    group.add_argument("--dry-run", action="store_true", help=f"with {TRACKER} move: only say what would be done")
    group.add_argument(
        "--force", action="store_true", help=f"with {TRACKER} move: also when the present tracker cannot be reached"
    )
    group.add_argument(
        "--new-repository",
        action="store_true",
        help=f"with {IMPORT}: the project's .git is lost; go on in a new one with the files as they are",
    )
    group.add_argument("--remove", metavar="PATTERN", help=f"with {PERMISSIONS}: no longer allow this command")
    group.add_argument("--approve", action="store_true", help="with --resume: say yes to what waits for you")
    group.add_argument("--request-changes", metavar="TEXT", help="with --resume: say what should be different instead")


def _add_manner(group: Any) -> None:
    group.add_argument("--autonomy", choices=("full", "checkpoint"), help="never ask, or ask after planning phases")
    group.add_argument("--model", help="model for all phases that do not name their own")
    group.add_argument("--console", action="store_true", help="lines on the terminal in place of the dashboard")
    group.add_argument("--no-interactive", action="store_true", help="never ask; stop with 3 when a person is needed")
    group.add_argument("--json", action="store_true", help="one JSON object a line on standard output; never ask")
    group.add_argument("--config", metavar="FILE", help="settings file in place of ./orchestrator.toml")
    group.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="one setting; may be given many times"
    )
    group.add_argument(
        "--no-sandbox", action="store_true", help="let agents' commands run without the OS sandbox, as sandbox.mode=off"
    )
    group.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="how much goes to the log")


def _add_web(group: Any) -> None:
    group.add_argument("--web", action="store_true", help="serve the dashboard; needs the extra orchestrator-tui[web]")
    group.add_argument("--host", help=f"listen there in place of this machine only ({DEFAULT_HOST})")
    group.add_argument("--port", type=int, help=f"port to listen on; 0 takes any free one ({DEFAULT_PORT})")
    group.add_argument("--public-url", metavar="URL", help="address that browsers use, behind a proxy or a tunnel")


def _add_serve(group: Any) -> None:
    group.add_argument(
        "--serve",
        action="store_true",
        help=f"run the engine with a REST API; --host, --port ({DEFAULT_API_PORT}) and --public-url as above",
    )
    group.add_argument(
        "--background", action="store_true", help="with --serve: for this machine's dashboards; ends when nothing runs"
    )
    group.add_argument("--tls-cert", metavar="FILE", help="with --serve: certificate for https, as PEM")
    group.add_argument("--tls-key", metavar="FILE", help="with --serve: the key of the certificate")
    group.add_argument(
        "--connect", metavar="URL", help="the projects of a server; its token is read from ORCHESTRATOR_TOKEN"
    )
    group.add_argument("--scope", choices=SCOPES, help=f"with token create: what it allows ({SCOPES[0]})")


def _add_workers(group: Any) -> None:
    group.add_argument(
        "--worker", action="store_true", help="run the projects of a cluster; needs cluster.enabled and PostgreSQL"
    )
    group.add_argument("--concurrency", type=int, metavar="N", help="with --worker: so many projects at the same time")
    group.add_argument("--workers", action="store_true", help="list the workers, and what each of them runs")
    group.add_argument(
        "--drain", metavar="WORKER", help="have a worker hand over what it runs; it takes nothing more then"
    )
