"""Drives a container engine and its compose: docker or podman, whichever there is, or what the environment names."""

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

ENGINE, COMPOSE = "CONTAINER_ENGINE", "CONTAINER_COMPOSE"
WITH_DB, EXTERNAL, WORKER = "orchestrator-with-db", "orchestrator", "worker"
"""Services of the compose file."""
ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT_LABEL, SERVICE_LABEL = "com.docker.compose.project", "com.docker.compose.service"
IMAGE_OWNER = 1000


class ContainersMissing(Exception):
    """There is no container engine that works."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """How containers are driven here."""

    engine: tuple[str, ...]
    compose: tuple[str, ...]


def find_tools() -> Tools:
    """
    Raises:
        ContainersMissing: there are none.
    """
    if named := os.environ.get(ENGINE):
        engine = tuple(shlex.split(named))
        compose = os.environ.get(COMPOSE)
        return Tools(engine=engine, compose=tuple(shlex.split(compose)) if compose else (*engine, "compose"))
    if _works("docker", "info") and _works("docker", "compose", "version"):
        return Tools(engine=("docker",), compose=("docker", "compose"))
    if _works("podman", "info"):
        own = _works("podman", "compose", "version")
        return Tools(engine=("podman",), compose=("podman", "compose") if own else ("podman-compose",))
    raise ContainersMissing(f"Neither docker (with compose) nor podman works here; {ENGINE} and {COMPOSE} name others.")


def _works(*command: str) -> bool:
    return shutil.which(command[0]) is not None and not subprocess.run(command, capture_output=True).returncode


@dataclass
class Lab:
    """The project's compose file with an `.env`, a workspace and volumes of its own."""

    tools: Tools
    image: str
    folder: Path = field(default_factory=lambda: Path(mkdtemp(prefix="containers-")))
    name: str = field(default_factory=lambda: f"check{secrets.token_hex(4)}")
    port: int = field(default_factory=lambda: free_port())

    def __post_init__(self) -> None:
        shutil.copy(ROOT / "docker-compose.yml", self.folder)
        # Whoever runs the check may not be the user in the image.
        self.workspace.mkdir()
        self.workspace.chmod(0o777)
        self.folder.chmod(0o755)
        self.environment = {
            "SERVER_IMAGE": self.image,
            "API_PORT": str(self.port),
            "PUBLIC_URL": self.url,
            "POSTGRES_PORT": str(free_port()),
            "WORKSPACE_PATH": "./workspace",
        }
        self.write_environment()

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def write_environment(self, **more: str) -> None:
        lines = [f"{name}={value}" for name, value in (self.environment | more).items()]
        (self.folder / ".env").write_text("\n".join(lines) + "\n")

    def build(self, *, uid: int) -> None:
        arguments = ["--build-arg", f"UID={uid}", "--build-arg", f"GID={uid}"]
        self.engine("build", *arguments, "--tag", self.image, str(ROOT), shown=True)

    def engine(self, *arguments: str, shown: bool = False) -> str:
        return _run([*self.tools.engine, *arguments], self.folder, shown=shown)

    def compose(self, profile: str, *arguments: str) -> None:
        _run([*self.tools.compose, "-p", self.name, "--profile", profile, *arguments], self.folder, shown=True)

    def remove(self) -> None:
        """Take everything away again, as far as that is possible."""
        profiles = ["--profile", "external-db", "--profile", "with-db"]
        command = [*self.tools.compose, "-p", self.name, *profiles, "down", "--volumes"]
        # Not every compose takes away more than one container of a service, nor anything that such a one is in.
        of_mine = [*self.tools.engine, "ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={self.name}"]
        # Those that others depend on go with the second try.
        for _ in range(2):
            if left := _run(of_mine, self.folder, check=False).split():
                _run([*self.tools.engine, "rm", "--force", *left], self.folder, check=False)
        _run(command, self.folder, shown=True, check=False)
        # What is in the workspace belongs to the user in the image.
        mounted = ["--volume", f"{self.workspace}:/workspace", "--entrypoint", "find", self.image]
        emptied = [*self.tools.engine, "run", "--rm", *mounted, "/workspace", "-mindepth", "1", "-delete"]
        _run(emptied, self.folder, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def container(self, service: str) -> str:
        """The id of a service's container."""
        found = self.containers(service)
        assert found, f"there is no container of {service}"
        return found[0]

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        labels = {PROJECT_LABEL: self.name, SERVICE_LABEL: service}
        filters = [part for label, value in labels.items() for part in ("--filter", f"label={label}={value}")]
        return self.engine("ps", "--all", "--quiet", *filters).split()

    def host_name(self, container: str) -> str:
        """What the programs in a container take for the name of their machine."""
        return self.engine("exec", container, "hostname").strip()

    def program(self, service: str, *arguments: str, check: bool = True) -> str:
        """What `orchestrator-tui` says inside of the container."""
        command = [*self.tools.engine, "exec", self.container(service), "orchestrator-tui", *arguments]
        return _run(command, self.folder, check=check)

    def state(self, service: str) -> dict[str, Any]:
        told = json.loads(self.engine("inspect", self.container(service)))
        assert isinstance(told[0]["State"], dict)
        return told[0]["State"]


def _run(command: list[str], folder: Path, *, shown: bool = False, check: bool = True) -> str:
    """What a command writes to its standard output; `shown` lets people read along instead."""
    ended = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=None if shown else subprocess.PIPE,
        stderr=None if shown else subprocess.PIPE,
        text=True,
        check=False,
    )
    if check and ended.returncode:
        raise SystemExit(f"{shlex.join(command)} failed with {ended.returncode}.\n{ended.stderr or ''}")
    return ended.stdout or ""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert isinstance(port, int)
        return port
