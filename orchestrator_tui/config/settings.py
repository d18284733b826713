"""All settings, with their defaults. Every field's docstring is what `orchestrator.toml` says about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from orchestrator_tui.config.command_patterns import PATTERNS, check_pattern, patterns_in
from orchestrator_tui.config.default_keys import DEFAULT_KEYS
from orchestrator_tui.config.key_names import check_keys, check_typing_keys
from orchestrator_tui.config.places import check_domains, check_folders
from orchestrator_tui.config.urls import check_api_url, check_remote
from orchestrator_tui.config.webhooks import (
    RECEIVERS,
    check_receiver,
    check_variable,
    each_named_once,
    happenings_in,
    receivers_in,
)
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.notices import Happening
from orchestrator_tui.domain.priority import HIGHEST, LOWEST
from orchestrator_tui.domain.statuses import Autonomy, Pattern, PhaseName


@dataclass(frozen=True, slots=True)
class Expected:
    """What a value has to be, in words for an error message."""

    words: str


PositiveFloat = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Repeats = Annotated[int, Field(ge=2, le=100)]
LogLevel = Literal["debug", "info", "warning", "error"]
ModelName = Annotated[
    str,
    Field(pattern=r"^(sonnet|opus|haiku|default|claude-[A-Za-z0-9.-]*[A-Za-z0-9])(\[1m\])?$", max_length=100),
    Expected("sonnet, opus, haiku, default or a full name that starts with claude-"),
]


ThemeName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60),
    Expected("the name of a theme, which is that of its file without .toml, such as dark"),
]
TrackerName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=50),
    Expected("database, json, linear, or the name of an installed tracker"),
]
ApiUrl = Annotated[
    str, AfterValidator(check_api_url), Expected("an address that starts with https://, or http:// for this machine")
]
RemoteAddress = Annotated[
    str,
    Field(max_length=1000),
    AfterValidator(check_remote),
    Expected("an absolute path, or an address of a git server without credentials, such as ssh://git@host/team"),
]
VariableName = Annotated[
    str,
    AfterValidator(check_variable),
    Expected("the name of an environment variable, such as TEAM_WEBHOOK_KEY"),
]
Domains = Annotated[
    str,
    AfterValidator(check_domains),
    Expected("names of domains in quotes, commas between them, such as pypi.org, *.example.org"),
]
Folders = Annotated[
    str,
    AfterValidator(check_folders),
    Expected("absolute paths in quotes, or such that begin with ~/, commas between them"),
]
KEYS = "keys in quotes, commas between them, such as d or ctrl+d or f5 or a,enter"
TYPING_KEYS = "keys that type nothing, as it also works while typing, such as ctrl+g or f5, commas between them"
Keys = Annotated[str, AfterValidator(check_keys), Expected(KEYS)]
TypingKeys = Annotated[str, AfterValidator(check_typing_keys), Expected(TYPING_KEYS)]


CommandPatterns = Annotated[
    tuple[Annotated[str, AfterValidator(check_pattern)], ...], BeforeValidator(patterns_in), Expected(PATTERNS)
]


class Section(BaseModel):
    """A group of settings; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, validate_default=True)


class ProjectSettings(Section):
    """The project to start."""

    name: str | None = None
    """Name of the project; made from the idea when not set."""
    directory: Path | None = None
    """Folder of the project; `<workspace>/<name>` when not set. Relative to the folder the program is started in."""
    owner: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    """Whose new projects are, for `limits.owner`; your user name when not set, over the API the name of the token."""
    workspace: Path | None = None
    """Folder that new projects are made in; `workspace` in the data folder when not set."""


class LinearSettings(Section):
    """Work items in Linear, as `type = "linear"`. The API key is read from LINEAR_API_KEY."""

    team: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Key or name of the team, such as `ENG`; may be left out where the key sees one team only."""
    project: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """Name of the project in Linear, one for each project here; made under the project's own name when not set."""
    poll_seconds: Annotated[float, Field(ge=1, le=3600)] = 30
    """How often people's changes are looked for."""
    api_url: ApiUrl = "https://api.linear.app/graphql"
    """Where Linear's API is; `https`, or `http` on this machine."""


class BackendSettings(Section):
    """Where work items are kept."""

    type: TrackerName = "database"
    """The tracker of new projects: `database`; `json`, a file to edit in each project's folder; `linear`; or an
    installed one. The command `tracker move` takes a project to another one."""
    linear: LinearSettings = LinearSettings()


class AutonomySettings(Section):
    """How much is decided without a person."""

    mode: Autonomy = Autonomy.CHECKPOINT
    """`checkpoint` waits for an approval after each phase that has `checkpoint_pause`; `full` never waits."""
    questions: Literal["assume", "first_choice"] = "assume"
    """What an agent that asks is told in `full`: to assume what is most sensible, or to take its own first choice."""
    answer_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 120
    """Seconds an agent that asks you something waits at work; then its project pauses until you answer."""
    interrupt_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 120
    """Seconds an agent that you interrupted waits for what you say; then it goes on."""


class PhaseSettings(Section):
    """One phase."""

    enabled: bool = True
    """Whether the phase runs."""
    checkpoint_pause: bool = False
    """Whether to wait for an approval when the phase is done (in `checkpoint` mode)."""
    model: ModelName | None = None
    """Model for this phase; `agent.model` when not set."""


class SwarmPhaseSettings(PhaseSettings):
    pattern: Pattern = Pattern.SWARM
    """`swarm` asks three agents at once and merges their answers; `single` asks one."""
    checkpoint_pause: bool = True


class SinglePhaseSettings(PhaseSettings):
    pattern: Literal["single"] = "single"
    """This phase asks one agent at a time."""


class BreakdownSettings(SinglePhaseSettings):
    checkpoint_pause: bool = True
    target_items: Annotated[int, Field(ge=0, le=5000)] = 0
    """How many work items to plan; 0 lets the agent decide. Asked for in as many passes as it takes."""
    items_per_pass: Annotated[int, Field(ge=1, le=100)] = 40
    """How many work items one answer should hold."""
    max_passes: Annotated[int, Field(ge=1, le=500)] = 50
    """How many passes at most."""
    max_rounds: Annotated[int, Field(ge=1, le=100)] = 3
    """How often the planner is told what does not fit together in one pass before the phase fails."""


class ImplementSettings(SinglePhaseSettings):
    pattern: Literal["single"] = "single"
    """Each work item has one agent."""
    parallel: Annotated[int, Field(ge=1, le=20)] = 1
    """How many work items are carried out at the same time, each in a git worktree of its own; never more than
    `agent.max_parallel`, or than this machine has cores and memory for. Needs git 2.38."""
    prepare: Annotated[str, Field(max_length=1000)] = ""
    """Shell command, run in the sandbox, that makes a fresh worktree ready, such as "npm ci": only what git keeps is
    in it. With `parallel` above 1; in the end it is run in the project's folder, too."""


class TestingSettings(SinglePhaseSettings):
    __test__ = False

    max_rounds: Annotated[int, Field(ge=1, le=100)] = 3
    """How often the whole program is tested; what a round finds is repaired before the next."""


class DeploySettings(SinglePhaseSettings):
    enabled: bool = False


class PhasesSettings(Section):
    """The seven phases."""

    ideation: SwarmPhaseSettings = SwarmPhaseSettings()
    """Turns the idea into requirements."""
    architecture: SwarmPhaseSettings = SwarmPhaseSettings()
    """Decides how the software is built."""
    task_breakdown: BreakdownSettings = BreakdownSettings()
    """Plans the work items."""
    initialize: SinglePhaseSettings = SinglePhaseSettings()
    """Makes the scaffold of the project and its check."""
    implement: ImplementSettings = ImplementSettings()
    """Carries out the work items."""
    testing: TestingSettings = TestingSettings()
    """Tests the whole and has repaired what fails."""
    deploy: DeploySettings = DeploySettings()
    """Prepares the deployment."""

    def of(self, phase: PhaseName) -> PhaseSettings:
        """The settings of one phase."""
        settings = getattr(self, phase.value)
        assert isinstance(settings, PhaseSettings)
        return settings


class AgentSettings(Section):
    """The Claude sessions."""

    model: ModelName = "claude-opus-4-5-20251101"
    """Model for all phases that do not name their own."""
    max_sessions: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Sessions a project may start in all, unless `limits.project.sessions` says otherwise."""
    max_turns: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """Turns of one session at most."""
    max_parallel: Annotated[int, Field(ge=1, le=20)] = 3
    """Sessions at work at the same time, over all projects."""
    api_retries: Annotated[int, Field(ge=0, le=20)] = 8
    """How often the CLI asks the API again after an overload or a network error."""


NO_LIMIT: Literal["none"] = "none"
Amount = Annotated[
    Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | Literal["none"],
    Expected('a number above 0 up to 1,000,000, or "none"'),
]
Number = Annotated[
    Annotated[int, Field(ge=1, le=1_000_000_000_000)] | Literal["none"], Expected('a whole number from 1, or "none"')
]

Agents = Annotated[
    Annotated[int, Field(ge=1, le=10_000)] | Literal["none"],
    Expected('a whole number from 1 to 10,000, or "none"'),
]


class LimitGroup(Section):
    money: Amount = NO_LIMIT
    """US dollars."""
    tokens: Number = NO_LIMIT
    """Tokens, cached ones included."""
    sessions: Number = NO_LIMIT
    """Sessions that may be started."""
    hours: Amount = NO_LIMIT
    """Hours at work; neither pauses nor the time the program is not running count."""

    def of(self, resource: Resource) -> float | None:
        """The limit; None when there is none."""
        amount = getattr(self, resource.value)
        return None if amount == NO_LIMIT else float(amount)


class ProjectLimits(LimitGroup):
    money: Amount = 50.0
    sessions: Number = NO_LIMIT
    """Sessions that may be started; `agent.max_sessions` when it is "none"."""


class OwnerLimits(Section):
    """What all projects of one person may use together."""

    money: Amount = NO_LIMIT
    """US dollars. Rehearsals spend none."""
    tokens: Number = NO_LIMIT
    """Tokens, cached ones included; those of rehearsals are counted apart."""

    def of(self, resource: Resource) -> float | None:
        """The limit; None when there is none."""
        amount = getattr(self, resource.value, NO_LIMIT)
        return None if amount == NO_LIMIT else float(amount)


class LimitsSettings(Section):
    """What a project may use before it pauses; a session gets the least left in its item, phase, day and project."""

    warn_at: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of a limit at which to say so."""
    project: ProjectLimits = ProjectLimits()
    """A project in all. A rehearsal spends no real money: it only heeds money limits given with --set or /limit."""
    day: LimitGroup = LimitGroup()
    """A project on one day, from midnight to midnight where the program runs; at midnight it goes on by itself."""
    phase: LimitGroup = LimitGroup()
    """Each phase of a project, all its rounds together."""
    item: LimitGroup = LimitGroup()
    """Each work item, all tries together."""
    owner: OwnerLimits = OwnerLimits()
    """All projects of each owner together, who is whoever made them: see `project.owner`. A change in a file counts
    at once; neither a project's own settings nor /limit make one."""
    owner_day: OwnerLimits = OwnerLimits()
    """The same on one day."""

    def of(self, scope: Scope) -> LimitGroup | OwnerLimits:
        """The limits of one scope."""
        group = getattr(self, scope.value)
        assert isinstance(group, LimitGroup | OwnerLimits)
        return group


class ErrorRecoverySettings(Section):
    """What happens when something fails."""

    max_consecutive_errors: Annotated[int, Field(ge=1, le=50)] = 3
    """Failed tries at the same thing (a session, a red check, an answer that does not fit) before giving up on it."""
    stall_timeout_minutes: PositiveFloat = 30
    """Minutes without a word, a call, a result or a change of a file after which a session is ended; a shell command
    has its own time first."""
    stronger_model: ModelName | None = None
    """Model for one more session when all tries have failed; none when not set."""
    same_error_limit: Repeats = 3
    """How often the same error (numbers, paths, ids and times aside) may come before something else is tried."""
    same_call_limit: Repeats = 4
    """How often in a row an agent may make the same call and get the same answer before it is told so."""
    alternation_limit: Annotated[int, Field(ge=4, le=100)] = 6
    """How many calls an agent may go back and forth between the same two before it is told so."""
    talk_limit: Repeats = 3
    """How many turns in a row an agent may only talk."""
    bounce_limit: Repeats = 3
    """How often testing may find the same failure again that was repaired before, until a person has to look."""
    first_pause_seconds: PositiveFloat = 60
    """How long a project waits when the API refuses it without saying until when; twice as long each further time."""
    longest_pause_minutes: PositiveFloat = 60
    """The longest of these pauses."""
    max_pauses: Annotated[int, Field(ge=1, le=10_000)] = 48
    """How many of them in a row, with nothing working in between, before the phase has failed."""


class RunSettings(Section):
    """How a run holds on to its project, and how it lets go."""

    stop_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    """Seconds a graceful stop waits for agents to end the tool call they are at."""
    lease_seconds: Annotated[float, Field(ge=3, le=180)] = 30
    """Seconds without a heartbeat after which another process may take a project over; there are three in that time."""


class ClusterSettings(Section):
    """Several machines: projects are run by workers (--worker) that share one PostgreSQL database."""

    enabled: bool = False
    """Whether projects are left to workers; needs PostgreSQL and the extra orchestrator-tui[cluster]."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 3
    """Projects that one worker runs at the same time, unless --concurrency says otherwise."""
    max_agents: Agents = NO_LIMIT
    """Sessions at work at the same time in all processes that share the database, with or without workers."""
    priority: Annotated[int, Field(ge=LOWEST, le=HIGHEST)] = 0
    """Of the projects that wait for a worker, and of the sessions that wait for an agent to end, those with the
    highest go first; kept with each project."""
    heartbeat_seconds: Annotated[float, Field(ge=0.1, le=60)] = 1.5
    """How often a worker says that it is there, and looks for what others left; a third of `stall_seconds` at most."""
    stall_seconds: Annotated[float, Field(ge=0.5, le=180)] = 5
    """Seconds of silence after which the projects of a worker go to others; in place of `run.lease_seconds`."""


class WorkspaceSettings(Section):
    """The projects' folders, where the machines that run projects share none."""

    sync: Literal["off", "git"] = "off"
    """`git` pushes each commit of a project, before it counts, to a repository that all workers share, and clones
    from there; `off` where all see the same folders."""
    remote: RemoteAddress | None = None
    """What the repositories are below: a folder that every worker reaches, in which they are made; or an address
    such as `ssh://git@host/team`, where they must be there already. Credentials are up to git."""
    timeout_seconds: Annotated[float, Field(ge=1, le=86400)] = 120
    """Seconds that one exchange with it may take."""


class BackgroundSettings(Section):
    """The server that goes on with what runs when the dashboard is left."""

    on_hangup: Literal["stop", "keep"] = "stop"
    """What a closed terminal does with what runs in it: `stop` it gracefully, or `keep` it running there."""
    idle_minutes: PositiveFloat = 10
    """Minutes without anything that runs, or anybody who looks, after which the server ends by itself."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port of this machine that it listens on; 0 takes any that is free."""


class VerifySettings(Section):
    """The project's own check, run by the engine."""

    timeout_seconds: PositiveFloat = 900
    """Seconds after which the check counts as failed."""


class PermissionSettings(Section):
    """Shell commands of agents, beside the built-in rules: as you would type them, such as "npm run *"."""

    allow: CommandPatterns = ()
    """Commands that are not asked about."""
    ask: CommandPatterns = ()
    """Commands that are asked about although they would be allowed."""
    deny: CommandPatterns = ()
    """Commands that never run."""


class SandboxSettings(Section):
    """The OS sandbox (bubblewrap, on Linux) that agents' commands and the project's check run in."""

    mode: Literal["auto", "on", "off"] = "auto"
    """`auto` asks you before it runs without where it does not work, and in `full` autonomy refuses; `on` never runs
    without; `off` is --no-sandbox."""
    domains: Domains = (
        "pypi.org, files.pythonhosted.org, registry.npmjs.org, index.crates.io, static.crates.io, "
        "proxy.golang.org, sum.golang.org"
    )
    """Domains that programs in it may reach by HTTP and HTTPS, `*.example.org` for all below one; needs socat."""
    readable: Folders = ""
    """More folders that programs in it may read, beside the project, the system and toolchains; commas between them."""
    writable: Folders = ""
    """More folders that programs in it may write; commas between them."""


class DatabaseSettings(Section):
    """PostgreSQL, when DATABASE_URL names one."""

    pool_size: Annotated[int, Field(ge=2, le=1000)] = 5
    """Connections that are kept open."""
    max_overflow: Annotated[int, Field(ge=0, le=1000)] = 10
    """Further connections while there is much to do."""
    statement_timeout_seconds: Annotated[float, Field(ge=1, le=86400)] = 120
    """Seconds a statement may take; migrations have an hour."""
    pooler: bool = False
    """Whether a pooler such as PgBouncer gives each transaction another connection; `?pgbouncer=true` says so, too."""
    wait_seconds: Annotated[float, Field(ge=0, le=86400)] = 60
    """Seconds a server waits at its start for a database that cannot be reached."""


class ApiSettings(Section):
    """What clients of a server (--serve) may use up."""

    body_kilobytes: Annotated[int, Field(ge=16, le=100_000)] = 2_000
    """Size of a request's body at most."""
    requests_per_second: PositiveFloat = 100
    """Requests of one token, sustained."""
    requests_at_once: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    """Requests of one token in a burst."""
    refusals_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 30
    """Wrong tokens and signatures from one address; after that it has to wait."""
    streams: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    """Event streams that are open at the same time."""


class WebhookReceiver(Section):
    """Somebody who is told by HTTP."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
    url: ApiUrl | None = None
    url_from: VariableName | None = None
    key_from: VariableName | None = None
    format: Literal["json", "slack"] = "json"
    on: Annotated[tuple[Happening, ...], BeforeValidator(happenings_in), Field(min_length=1)] = tuple(Happening)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_receiver(self.url, self.url_from, self.key_from, self.format)
        return self


class WebhooksSettings(Section):
    """Who is told by HTTP when a project waits for a person, is finished, has failed, or comes to a limit."""

    receivers: Annotated[
        tuple[WebhookReceiver, ...], BeforeValidator(receivers_in), AfterValidator(each_named_once), Expected(RECEIVERS)
    ] = ()
    """A table for each: its `name`; its `url`, or `url_from`, the environment variable that holds it; `key_from`,
    the variable with the key that signs; `format`, which is "json" or "slack"; and what it is told `on`,
    such as ["waiting", "failed"]; "finished" and "budget" there are, too, and without `on` it is all four."""
    give_up_hours: PositiveFloat = 24
    """How long something is tried to be told."""


class LogSettings(Section):
    """The program's own log files."""

    level: LogLevel = "info"
    """How much is written."""
    max_megabytes: PositiveFloat = 10
    """Size at which a log file is rotated."""
    keep: Annotated[int, Field(ge=1, le=100)] = 5
    """How many rotated files are kept."""


class TuiSettings(Section):
    """The dashboard: how it looks, and how it calls you."""

    theme: ThemeName = "dark"
    """Its colours: `dark`, `light`, `high-contrast`, `ansi`, or a file of yours in `themes` in the settings folder."""
    bell: bool = True
    """Whether the terminal rings when a project waits for you, fails or is finished."""
    notify: bool = True
    """Whether the desktop is notified of the same, where the terminal can do that."""


KEYMAP = "keymap"
KEYMAP_DOC = """\
The dashboard's keys, commas between them: `d`, `ctrl+d`, `f5`, `a,enter`. The first few work while typing.
Every other key goes by its id in quotes, such as "items.search" = "f6"; F1 shows the ids."""


class KeysById(Section):
    """Keys of bindings that have an id with a dot and no setting; whether there is such a binding is not known here."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Keys] = Field(init=False)

    @property
    def by_id(self) -> Mapping[str, str]:
        """The keys by the ids of the bindings."""
        return self.model_extra or {}


if TYPE_CHECKING:

    class KeymapSettings(KeysById):
        """A field for each of `DEFAULT_KEYS`."""
else:
    KeymapSettings = create_model(
        "KeymapSettings",
        __base__=KeysById,
        __doc__=KEYMAP_DOC,
        **{
            key.action: (TypingKeys if key.while_typing else Keys, Field(key.keys, description=key.tooltip))
            for key in DEFAULT_KEYS
        },
    )


class SettingsModel(Section):
    """Everything that can be set in `orchestrator.toml`."""

    project: ProjectSettings = ProjectSettings()
    backend: BackendSettings = BackendSettings()
    autonomy: AutonomySettings = AutonomySettings()
    phases: PhasesSettings = PhasesSettings()
    agent: AgentSettings = AgentSettings()
    limits: LimitsSettings = LimitsSettings()
    error_recovery: ErrorRecoverySettings = ErrorRecoverySettings()
    run: RunSettings = RunSettings()
    background: BackgroundSettings = BackgroundSettings()
    cluster: ClusterSettings = ClusterSettings()
    workspace: WorkspaceSettings = WorkspaceSettings()
    verify: VerifySettings = VerifySettings()
    permissions: PermissionSettings = PermissionSettings()
    sandbox: SandboxSettings = SandboxSettings()
    database: DatabaseSettings = DatabaseSettings()
    api: ApiSettings = ApiSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    log: LogSettings = LogSettings()
    tui: TuiSettings = TuiSettings()
    keymap: KeymapSettings = KeymapSettings()

    def model_for(self, phase: PhaseName) -> str:
        """The model a phase uses."""
        return self.phases.of(phase).model or self.agent.model
