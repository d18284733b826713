"""The command line: turns the arguments into one frozen value that says what to do. Nothing is read or written here."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from orchestrator_tui import __version__
from orchestrator_tui.domain.errors import UsageError

PROGRAM = "orchestrator-tui"
DEFAULT_SCENARIO = "markdown-checker"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
DEFAULT_API_PORT = 8080
IMPORT = "import"
POLICY = "policy"
TRACKER = "tracker"
TRACKER_ACTIONS = ("status", "sync", "move")
DOCTOR = "doctor"
PERMISSIONS = "permissions"
TOKEN = "token"
SCOPES = ("read", "operate", "admin")
INTERRUPT = "interrupt"
STEPPING = ("steer", "note", INTERRUPT)

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
  orchestrator-tui import ~/projects/mdcheck          a project that the database lost
  orchestrator-tui policy check 'git push'            may agents run this here, and why
  orchestrator-tui tracker status 1                   where its work items are kept
  orchestrator-tui tracker move 1 --to json           keep them in a file in its folder
  orchestrator-tui permissions 1                      commands you allowed for good there
  orchestrator-tui --serve                            the engine without a screen
  orchestrator-tui --connect http://127.0.0.1:8080    the dashboard on it
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What every invocation understands. `settings` are `KEY=VALUE` texts, in the order given; `connect` is the address
    of a server whose projects are meant."""

    config: str | None = None
    settings: tuple[str, ...] = ()
    model: str | None = None
    autonomy: str | None = None
    log_level: str | None = None
    json: bool = False
    no_sandbox: bool = False
    connect: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StartProject:
    """Build something new. `rehearsal` is a scenario's name or path; no idea at all means to ask for one.
    `console` wants lines in place of the dashboard."""

    idea: str | None = None
    idea_file: str | None = None
    rehearsal: str | None = None
    name: str | None = None
    directory: str | None = None
    interactive: bool = True
    console: bool = False
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ContinueProject:
    """Go on with a project, the most recent unfinished one without a `reference`, after answering what waits.

    Attributes:
        approve: say yes to it. changes: say what should be different instead.
    """

    reference: str | None = None
    approve: bool = False
    changes: str | None = None
    rehearsal: str | None = None
    interactive: bool = True
    console: bool = False
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowStatus:
    """Tell about one project, or about all without a `reference`."""

    reference: str | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRunning:
    """Stop a project gracefully, whichever process runs it; the one that runs without a `reference`. `all` stops all
    that run, and ends the background server."""

    reference: str | None = None
    all: bool = False
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class StepIn:
    """Say something to the agents of a project, the one that runs without a `reference`.

    Attributes:
        action: `steer`, `note` or `interrupt`. text: what is said; nothing to interrupt.
        agent: whose step is meant, such as `agent-3`. item: the key of the work item whose next session a note is for.
    """

    action: str
    text: str = ""
    reference: str | None = None
    agent: str | None = None
    item: str | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowLogs:
    """Tell what a project has done, the one that changed last without a `reference`; `follow` goes on while it runs."""

    reference: str | None = None
    follow: bool = False
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportFolder:
    """Build a project again from its folder."""

    folder: str
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckPolicy:
    """Say whether agents may run a command ("-" reads it) in a project's `directory`, this folder without one."""

    command: str
    directory: str | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class UseTracker:
    """Look at, sync or move the work items of a project, the one that changed last without a `reference`.

    Attributes:
        action: one of `TRACKER_ACTIONS`. to: the tracker to move to. dry_run: only say what would be moved.
        force: move also when the present tracker cannot be reached.
    """

    action: str
    reference: str | None = None
    to: str | None = None
    dry_run: bool = False
    force: bool = False
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class Doctor:
    """Look whether this machine has what a run needs."""

    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowPermissions:
    """Tell which commands are allowed for good in a project, the one that changed last without a `reference`; after
    taking `remove` back."""

    reference: str | None = None
    remove: str | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeWeb:
    """Serve the dashboard to browsers. Port 0 is any free one; `public_url` is what browsers use when it differs."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    public_url: str | None = None
    rehearsal: str | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class Serve:
    """Run the engine without a screen, for programs and for dashboards elsewhere; see `ServeWeb` for host, port and
    public address. `tls_cert` and `tls_key` are PEM files. In the `background` it is for this machine's dashboards, at
    the port that the settings say unless there is one, and ends by itself."""

    host: str = DEFAULT_HOST
    port: int | None = DEFAULT_API_PORT
    background: bool = False
    public_url: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    rehearsal: str | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ManageTokens:
    """Make, list or revoke the tokens of a server. `name` is that of a new one, or the id of the one to revoke."""

    action: str
    name: str = ""
    scope: str = SCOPES[0]
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowText:
    """Print a text and do nothing else."""

    text: str


Aside = ShowStatus | ShowLogs | StopRunning | StepIn | ImportFolder | ShowPermissions | UseTracker
"""What is done beside the projects that run, from another terminal."""
Invocation = StartProject | ContinueProject | Aside | CheckPolicy | Doctor | ServeWeb | Serve | ManageTokens | ShowText


def parse(arguments: Sequence[str]) -> Invocation:
    """What the arguments (without the program's name) ask for.

    Raises:
        UsageError: they cannot be understood or contradict each other.
    """
    parser = _parser()
    given = parser.parse_intermixed_args(arguments)
    if given.help:
        return ShowText(text=parser.format_help())
    if given.version:
        return ShowText(text=f"{PROGRAM} {__version__}\n")
    _check(given)
    return _invocation(given)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether errors should be told as JSON too; works for arguments that cannot be parsed."""
    return "--json" in arguments


def dashboard_arguments(served: ServeWeb) -> list[str]:
    """The arguments that give a browser tab's dashboard the same options."""
    scenario = [] if served.rehearsal is None else [f"--rehearsal={served.rehearsal}"]
    return scenario + option_arguments(served.options)


def option_arguments(options: Options) -> list[str]:
    """The arguments that give another invocation on this machine the same options."""
    named = {
        "config": options.config,
        "model": options.model,
        "autonomy": options.autonomy,
        "log-level": options.log_level,
    }
    arguments = [f"--{name}={value}" for name, value in named.items() if value is not None]
    arguments += ["--no-sandbox"] * options.no_sandbox
    return arguments + [f"--set={text}" for text in options.settings]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        text = message[:1].upper() + message[1:]
        raise UsageError(f"{text}.", hint=f"{PROGRAM} --help lists what is possible.")


def _invocation(given: argparse.Namespace) -> Invocation:
    options = Options(
        config=given.config,
        settings=tuple(given.set),
        model=given.model,
        autonomy=given.autonomy,
        log_level=given.log_level,
        json=given.json,
        no_sandbox=given.no_sandbox,
        connect=given.connect,
    )
    interactive = not (given.no_interactive or given.json)
    if given.web:
        return ServeWeb(
            host=DEFAULT_HOST if given.host is None else given.host,
            port=DEFAULT_PORT if given.port is None else given.port,
            public_url=given.public_url,
            rehearsal=given.rehearsal,
            options=options,
        )
    if given.words and given.words[0] == POLICY:
        return CheckPolicy(command=given.words[2], directory=given.directory, options=options)
    if given.words and given.words[0] == TRACKER:
        return UseTracker(
            action=given.words[1],
            reference=given.words[2] if len(given.words) > 2 else None,
            to=given.to,
            dry_run=given.dry_run,
            force=given.force,
            options=options,
        )
    if given.words == [DOCTOR]:
        return Doctor(options=options)
    if given.words and given.words[0] == PERMISSIONS:
        reference = given.words[1] if len(given.words) > 1 else None
        return ShowPermissions(reference=reference, remove=given.remove, options=options)
    if given.serve:
        return Serve(
            host=DEFAULT_HOST if given.host is None else given.host,
            port=DEFAULT_API_PORT if given.port is None and not given.background else given.port,
            background=given.background,
            public_url=given.public_url,
            tls_cert=given.tls_cert,
            tls_key=given.tls_key,
            rehearsal=given.rehearsal,
            options=options,
        )
    if given.words and given.words[0] == TOKEN:
        _, action, *name = given.words
        return ManageTokens(action=action, name="".join(name), scope=given.scope or SCOPES[0], options=options)
    if given.words:
        return ImportFolder(folder=given.words[1], options=options)
    if given.status is not None:
        return ShowStatus(reference=given.status or None, options=options)
    if given.stop is not None:
        return StopRunning(reference=given.stop or None, all=given.all, options=options)
    for action in STEPPING:
        if _is_given(given, action):
            return StepIn(
                action=action,
                text=getattr(given, action) if action != INTERRUPT else "",
                reference=given.project,
                agent=given.agent,
                item=given.item,
                options=options,
            )
    if given.logs is not None:
        return ShowLogs(reference=given.logs or None, follow=given.follow, options=options)
    if given.resume is not None:
        return ContinueProject(
            reference=given.resume or None,
            approve=given.approve,
            changes=given.request_changes,
            rehearsal=given.rehearsal,
            interactive=interactive,
            console=given.console,
            options=options,
        )
    return StartProject(
        idea=given.idea,
        idea_file=given.idea_file,
        rehearsal=given.rehearsal,
        name=given.name,
        directory=given.directory,
        interactive=interactive,
        console=given.console,
        options=options,
    )


def _check(given: argparse.Namespace) -> None:
    starting = ("idea", "idea_file", "name", "directory")
    answering = ("approve", "request_changes")
    _check_words(given)
    _exclude(given, ("idea", "idea_file"))
    _exclude(given, answering)
    looking = ("status", "stop", "logs", *STEPPING)
    for number, look in enumerate(looking):
        for flag in (*looking[number + 1 :], *starting, "resume", "rehearsal", *answering):
            _exclude(given, (look, flag))
    if given.all and given.stop != "":
        raise UsageError("--all stops everything that runs.", hint=f"{PROGRAM} --stop --all")
    if given.follow and given.logs is None:
        raise UsageError("--follow goes on showing what happens.", hint="Add --logs, or --logs ID.")
    for flag in starting:
        _exclude(given, ("resume", flag))
    _check_stepping(given)
    _check_web(given)
    if given.resume is None and any(_is_given(given, flag) for flag in answering):
        flag = next(flag for flag in answering if _is_given(given, flag))
        raise UsageError(f"{_flag(flag)} answers a project that waits.", hint="Add --resume, or --resume ID.")
    if given.request_changes is not None and not given.request_changes.strip():
        raise UsageError("--request-changes needs words.", hint="Say what should be different.")
    for flag in ("name", "directory"):
        if _is_given(given, flag) and not getattr(given, flag).strip():
            raise UsageError(f"{_flag(flag)} is empty.", hint="Leave it out, and it is made from the idea.")
    _check_text(given)


def _check_words(given: argparse.Namespace) -> None:
    """Beside options there is one command, with what it is about; or none but it."""
    moving = next((flag for flag in ("to", "dry_run", "force") if _is_given(given, flag)), None)
    if moving is not None and given.words[:2] != [TRACKER, "move"]:
        raise UsageError(
            f"{_flag(moving)} is about moving work items.", hint=f"{PROGRAM} {TRACKER} move [ID] --to KIND"
        )
    if given.remove is not None and given.words[:1] != [PERMISSIONS]:
        raise UsageError(
            "--remove takes back a command that was allowed.", hint=f"{PROGRAM} {PERMISSIONS} ID --remove PATTERN"
        )
    if TOKEN not in given.words[:1]:
        _need(given, ("scope",), False, f"{TOKEN} create", "is what a new token allows")
    if not given.words:
        return
    command, *rest = given.words
    if command == POLICY:
        _check_policy(given)
        return
    if command == TOKEN:
        _check_token(given, rest)
        return
    if command not in (IMPORT, PERMISSIONS, TRACKER, DOCTOR):
        raise UsageError(
            f"Unrecognized arguments: {' '.join(given.words)}.",
            hint=f'To say what to build, use --idea "…". {PROGRAM} --help lists what is possible.',
        )
    if command == DOCTOR and rest:
        raise UsageError(f"{DOCTOR} takes no words.", hint=f"{PROGRAM} {DOCTOR}")
    if command == IMPORT and (len(rest) != 1 or not rest[0].strip()):
        raise UsageError(f"{IMPORT} takes one folder.", hint=f"{PROGRAM} {IMPORT} FOLDER")
    if command == TRACKER:
        _check_tracker(given, rest)
    if command == PERMISSIONS and len(rest) > 1:
        raise UsageError(f"{PERMISSIONS} takes one project.", hint=f"{PROGRAM} {PERMISSIONS} ID")
    _check_alone(given, command)


_OF_PROJECTS = ("idea", "idea_file", "name", "directory", "status", "stop", "logs", "resume", *STEPPING)


def _check_alone(given: argparse.Namespace, command: str) -> None:
    for flag in (*_OF_PROJECTS, "rehearsal", "approve", "request_changes", "web", "serve", "console", "connect"):
        if _is_given(given, flag):
            raise UsageError(f"{command} and {_flag(flag)} exclude each other.", hint="Leave one of them out.")


def _check_tracker(given: argparse.Namespace, rest: Sequence[str]) -> None:
    actions = ", ".join(TRACKER_ACTIONS)
    if not 1 <= len(rest) <= 2 or rest[0] not in TRACKER_ACTIONS:
        raise UsageError(f"{TRACKER} takes one of {actions}, and a project.", hint=f"{PROGRAM} {TRACKER} status [ID]")
    if rest[0] == "move" and not (given.to or "").strip():
        raise UsageError("It is not said where to move the work items.", hint="Add --to json, or --to database.")


def _check_policy(given: argparse.Namespace) -> None:
    if given.words[1:2] != ["check"] or len(given.words) != 3:
        raise UsageError(
            f"{POLICY} check takes one command.", hint=f"Put it in quotes: {PROGRAM} {POLICY} check 'git status'"
        )
    for flag in (
        "idea",
        "idea_file",
        "name",
        "rehearsal",
        "status",
        "stop",
        "logs",
        "resume",
        "web",
        "console",
        *STEPPING,
    ):
        if _is_given(given, flag):
            raise UsageError(f"{POLICY} and {_flag(flag)} exclude each other.", hint="Leave one of them out.")


def _check_token(given: argparse.Namespace, words: Sequence[str]) -> None:
    hint = f"{PROGRAM} {TOKEN} create NAME --scope read|operate|admin, {TOKEN} list, or {TOKEN} revoke ID"
    match words:
        case ["create" | "revoke", name] if name.strip():
            pass
        case ["list"]:
            pass
        case _:
            raise UsageError(f"{TOKEN} makes, lists or revokes.", hint=hint)
    _need(given, ("scope",), words[0] == "create", f"{TOKEN} create", "is what a new token allows")
    _check_alone(given, TOKEN)


def _need(given: argparse.Namespace, flags: Sequence[str], condition: bool, what: str, meaning: str) -> None:
    """Raises UsageError when a flag is given that has a meaning with `what` only."""
    for flag in flags:
        if _is_given(given, flag) and not condition:
            raise UsageError(f"{_flag(flag)} {meaning}.", hint=f"Add {what}.")


def _check_stepping(given: argparse.Namespace) -> None:
    for flag in ("steer", "note"):
        if getattr(given, flag) is not None and not getattr(given, flag).strip():
            raise UsageError(f"{_flag(flag)} needs words.", hint="Say what the agent should know.")
    wanted = any(_is_given(given, action) for action in STEPPING)
    _need(given, ("project",), wanted, "--steer, --note or --interrupt", "says whose agents are meant")
    to_one = _is_given(given, "steer") or _is_given(given, INTERRUPT)
    _need(given, ("agent",), to_one, "--steer or --interrupt", "says which agent is meant")
    _need(given, ("item",), _is_given(given, "note"), "--note", "says whose next session is told")


def _check_web(given: argparse.Namespace) -> None:
    for flag in (*_OF_PROJECTS, "json", "no_interactive", "console", "serve", "connect"):
        _exclude(given, ("web", flag))
    for flag in (*_OF_PROJECTS, "no_interactive", "console", "connect"):
        _exclude(given, ("serve", flag))
    _need(given, ("host", "port", "public_url"), given.web or given.serve, "--web or --serve", "says where to serve")
    _need(given, ("tls_cert", "tls_key"), given.serve, "--serve", "is for TLS")
    _need(given, ("background",), given.serve, "--serve", "is about a server")
    for flag in ("host", "public_url", "tls_cert"):
        _exclude(given, ("background", flag))
    if (given.tls_cert is None) != (given.tls_key is None):
        raise UsageError("TLS needs a certificate and its key.", hint="Give both --tls-cert and --tls-key.")
    if given.connect is not None and ("/" in (given.rehearsal or "") or (given.rehearsal or "").endswith(".toml")):
        raise UsageError(
            "A scenario's file on this machine is of no use to the server.",
            hint="Name one that comes with the program.",
        )
    if given.port is not None and not 0 <= given.port <= 65_535:
        raise UsageError(
            f"--port {given.port} is no port.", hint="Ports go from 0, which takes any free one, to 65535."
        )


def _check_text(given: argparse.Namespace) -> None:
    """Names of files that are only read may hold any bytes, and an idea is checked with more words."""
    for flag, value in vars(given).items():
        texts = value if isinstance(value, list) else [value]
        if flag not in ("idea", "idea_file", "config") and not all(map(_is_text, texts)):
            raise UsageError(f"{_flag(flag)} is not text in UTF-8.", hint="Write it in UTF-8.")


def _is_text(value: object) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _exclude(given: argparse.Namespace, pair: tuple[str, str]) -> None:
    first, second = pair
    if _is_given(given, first) and _is_given(given, second):
        raise UsageError(f"{_flag(first)} and {_flag(second)} exclude each other.", hint="Leave one of them out.")


def _is_given(given: argparse.Namespace, name: str) -> bool:
    value = getattr(given, name)
    return value is not None and value is not False


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parser() -> argparse.ArgumentParser:
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
    group.add_argument("--agent", metavar="NAME", help="with --steer, --interrupt: which one, such as agent-3")
    group.add_argument("--item", metavar="KEY", help="with --note: to the next session of this work item")
    group.add_argument(
        "words",
        nargs="*",
        metavar="COMMAND",
        help=f"{IMPORT} FOLDER builds a project again that the database does not have; "
        f"{TRACKER} {'|'.join(TRACKER_ACTIONS)} [ID] is about where work items are kept; "
        f"{PERMISSIONS} [ID] lists the commands you allowed for good in a project; "
        f"{TOKEN} create NAME, {TOKEN} list, {TOKEN} revoke ID are about who may use a server; "
        f"{DOCTOR} looks whether this machine has what a run needs",
    )
    group.add_argument("--to", metavar="KIND", help=f"with {TRACKER} move: database, json, or an installed tracker")
    group.add_argument("--dry-run", action="store_true", help=f"with {TRACKER} move: only say what would be done")
    group.add_argument(
        "--force", action="store_true", help=f"with {TRACKER} move: also when the present tracker cannot be reached"
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
