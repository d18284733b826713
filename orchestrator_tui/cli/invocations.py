"""What can be asked for on the command line, one frozen value each."""

from dataclasses import dataclass

PROGRAM = "orchestrator-tui"
DEFAULT_SCENARIO = "markdown-checker"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
DEFAULT_API_PORT = 8080
IMPORT = "import"
POLICY = "policy"
QUOTED = f"Put the command in quotes: {PROGRAM} {POLICY} check 'git status'"
"""What to do about a command to be checked that came as several words."""
TRACKER = "tracker"
TRACKER_ACTIONS = ("status", "sync", "move")
DOCTOR = "doctor"
PERMISSIONS = "permissions"
TOKEN = "token"
SCOPES = ("read", "operate", "admin")
INTERRUPT = "interrupt"
STEPPING = ("steer", "note", INTERRUPT)


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
    """Build a project again from its folder; `new_repository` begins its repository anew."""

    folder: str
    new_repository: bool = False
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
class Work:
    """Run projects of a cluster, so many at a time, or as many as the settings say."""

    concurrency: int | None = None
    rehearsal: None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True, slots=True)
class UseWorkers:
    """List the workers of a cluster; or have one, known by its name or id, drain."""

    drain: str | None = None
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


Aside = ShowStatus | ShowLogs | StopRunning | StepIn | ImportFolder | ShowPermissions | UseTracker | UseWorkers
"""What is done beside the projects that run, from another terminal."""
Invocation = (
    StartProject | ContinueProject | Aside | CheckPolicy | Doctor | ServeWeb | Serve | Work | ManageTokens | ShowText
)
