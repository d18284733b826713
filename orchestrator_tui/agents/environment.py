"""The environments agents' programs run in: built from a list, never inherited."""

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from orchestrator_tui.agents.base import Endpoint, SessionRequest
from orchestrator_tui.agents.bubblewrap import CERTIFICATES, Bubblewrap
from orchestrator_tui.agents.cli_file import make_shell
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import CredentialsMissing

RUN_ID = "ORCHESTRATOR_RUN_ID"
PROJECT_ID = "ORCHESTRATOR_PROJECT_ID"
AGENT_ID = "ORCHESTRATOR_AGENT_ID"
THIS_RUN = new_id()
"""The run id of this process: everything that it starts for a project carries it."""

_TAKEN_OVER = ("PATH", "LANG", "LANGUAGE", "TERM", "TZ", "TMPDIR", "HOME", "USER", "LOGNAME")
_FOR_REMOTES = (
    "SSH_AUTH_SOCK", "SSH_ASKPASS", "GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
)  # fmt: skip
_PROXIES = tuple(
    spelling for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for spelling in (name, name.lower())
)
_CREDENTIALS = ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY")
_CLI_MANNERS = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR": "1",
}
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class AccountEndpoint:
    """The real API, reached with the credentials found in `secrets` (an environment, or the part of it with them)."""

    secrets: Mapping[str, str] = field(repr=False)

    @property
    def scripted(self) -> bool:
        return False

    @property
    def account(self) -> str:
        """A hash of the credential: limits are known by it in the database, which holds no credentials."""
        credential = next((self.secrets[name] for name in _CREDENTIALS if self.secrets.get(name)), None)
        return sha256(f"account {credential}".encode()).hexdigest()[:32] if credential else ""

    def environment(self, request: SessionRequest) -> Mapping[str, str]:
        """One credential, and the address of the API when the person set one.

        Raises:
            CredentialsMissing: there is neither a token nor a key.
        """
        credential = next((name for name in _CREDENTIALS if self.secrets.get(name)), None)
        if credential is None:
            raise CredentialsMissing
        wanted = (credential, "ANTHROPIC_BASE_URL")
        return {name: self.secrets[name] for name in wanted if self.secrets.get(name)}


def tool_environment(parent_environ: Mapping[str, str], *, rehearsal: bool, paths: Paths) -> dict[str, str]:
    """The environment of programs that the engine or an agent runs in a project; it holds no credentials.

    In rehearsal HOME is a folder of its own (made here when it is missing), no proxy is passed on, and the
    running Python's folder comes first in PATH, so that `python3` is there.
    """
    built = {name: parent_environ[name] for name in _TAKEN_OVER if name in parent_environ}
    built |= {name: value for name, value in parent_environ.items() if name.startswith("LC_")}
    built.setdefault("PATH", _DEFAULT_PATH)
    built["SHELL"] = shutil.which("bash", path=built["PATH"]) or "/bin/bash"
    built["GIT_TERMINAL_PROMPT"] = "0"
    if not rehearsal:
        return built | _network(parent_environ)
    home = rehearsal_home(paths)
    home.mkdir(parents=True, exist_ok=True)
    return built | {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{built['PATH']}"}


def remote_environment(parent_environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a git that speaks to a remote: with the person's own ways to prove who they are, and for
    nothing that an agent has written."""
    built = {name: parent_environ[name] for name in (*_TAKEN_OVER, *_FOR_REMOTES) if name in parent_environ}
    built.setdefault("PATH", _DEFAULT_PATH)
    return built | {name: parent_environ[name] for name in _PROXIES if name in parent_environ}


def rehearsal_home(paths: Paths) -> Path:
    """The home folder of programs in rehearsals."""
    return paths.cli_home / "home"


def cli_environment(
    request: SessionRequest,
    endpoint: Endpoint,
    *,
    parent_environ: Mapping[str, str],
    paths: Paths,
    api_retries: int,
    sandbox: Bubblewrap | None = None,
) -> dict[str, str]:
    """The whole environment of one session's CLI, whose shell runs in `sandbox`.

    Raises:
        CredentialsMissing: the endpoint has none.
        OSError: the folders it needs cannot be written.
    """
    built = tool_environment(parent_environ, rehearsal=endpoint.scripted, paths=paths)
    if not endpoint.scripted:
        built |= {name: parent_environ[name] for name in _PROXIES if name in parent_environ}
    config = config_folder(paths, request.project_id)
    within_sandbox = ""
    if sandbox is not None:
        # The shell writes down there once what each of its commands begins with.
        snapshots = config / "shell-snapshots"
        snapshots.mkdir(parents=True, exist_ok=True)
        within_sandbox = sandbox.shell_line(request.directory, scratch=(snapshots,))
    return {
        **built,
        **{name: value for name, value in endpoint.environment(request).items() if value},
        **_CLI_MANNERS,
        **within(request.directory),
        "CLAUDE_CODE_SHELL": str(make_shell(paths, built["SHELL"], within_sandbox)),
        "CLAUDE_CODE_MAX_RETRIES": str(api_retries),
        "CLAUDE_CONFIG_DIR": str(config),
        **marks(request.project_id),
        AGENT_ID: request.agent_id,
    }


def marks(project_id: str) -> dict[str, str]:
    """By what a process that works for a project is found again: by this process in a hurry, by a later one."""
    return {RUN_ID: THIS_RUN, PROJECT_ID: project_id}


def within(directory: Path) -> dict[str, str]:
    """Keeps git in a project's folder: it does not look for a repository in the folders above."""
    parents = dict.fromkeys((str(directory.parent), str(directory.resolve().parent)))
    return {"GIT_CEILING_DIRECTORIES": ":".join(parents)}


def config_folder(paths: Paths, project_id: str) -> Path:
    """The CLI's own folder for one project: its transcripts and whatever else it keeps."""
    return paths.cli_home / re.sub(r"[^\w-]", "_", project_id)


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values in `environment` that must not be shown, longest first."""
    found = {value for name, value in environment.items() if _SECRET_NAME.search(name) and len(value) >= 6}
    return tuple(sorted(found, key=len, reverse=True))


def _network(parent_environ: Mapping[str, str]) -> dict[str, str]:
    """How to get out of the house: certificates, and proxies that need no password."""
    certificates = {name: parent_environ[name] for name in CERTIFICATES if name in parent_environ}
    proxies = {name: value for name in _PROXIES if (value := parent_environ.get(name)) and "@" not in value}
    return certificates | proxies
