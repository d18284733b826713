"""The OS sandbox on Linux: what a project's programs see, can change and can reach, as arguments of bubblewrap."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain.worktrees import project_of

CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/snap")
_SECRET_SYSTEM = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/krb5.keytab",
    "/etc/security/opasswd", "/etc/msmtprc",
)  # fmt: skip
_SECRET_FOLDERS = (
    "/etc/ssh", "/etc/ssl/private", "/etc/sudoers.d", "/etc/kubernetes", "/etc/NetworkManager", "/etc/wireguard",
    "/etc/openvpn", "/etc/letsencrypt", "/etc/pki/tls/private", "/etc/ppp", "/etc/docker", "/etc/rancher",
    "/etc/ipsec.d", "/etc/credstore", "/etc/credstore.encrypted",
)  # fmt: skip
_TOOLCHAINS = (
    ".pyenv",
    ".rustup",
    ".cargo",
    ".nvm",
    ".volta",
    ".asdf",
    ".sdkman",
    ".bun",
    ".deno",
    "go",
    ".local/share/mise",
    ".local/share/uv",
)
_SECRET_IN_HOME = (".cargo/credentials", ".cargo/credentials.toml")
_KEPT = (".orchestrator", ".orchestrator_state.json", ".claude", ".mcp.json")
_SEEN_OF_GIT = ("config", "HEAD", "packed-refs", "hooks", "info", "logs", "refs")
_SEEN_OF_WORKTREE = ("HEAD", "commondir", "gitdir", "logs")
_GIT_OBJECTS, _GIT_INDEX = "/run/git/objects", "/run/git/index"
_PROXY_SOCKET = "/run/proxy"
_PROXY_PORT = 3128
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_LOCAL = "localhost,127.0.0.1,::1"
_OWN_INDEX = (
    f'mkdir -p "$1/objects/info" && echo {_GIT_OBJECTS} >"$1/objects/info/alternates"; '
    f'[ ! -f {_GIT_INDEX} ] || {{ mkdir -p "$2" && cp {_GIT_INDEX} "$2/index"; }}; shift 2; '
)
"""Completes a repository of which only the history is seen: what is staged in it goes with the sandbox."""
_BRIDGE = (
    f"socat TCP-LISTEN:{_PROXY_PORT},bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:{_PROXY_SOCKET} >/dev/null 2>&1 & "
    f"for _ in $(seq 200); do (: >/dev/tcp/127.0.0.1/{_PROXY_PORT}) 2>/dev/null && break; sleep 0.01; done; "
)
"""Brings the proxy's socket to a port inside, for programs know proxies by host and port only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bubblewrap:
    """Wraps commands so that they run in a sandbox of their own, which ends with them, and with who started them.

    Inside, there are the system's programs, toolchains and `readable` folders to read; the project and `writable`
    folders to change; an empty home and an empty /tmp; no other process; and no network but its own loopback.
    The project's history can be read, and a copy of its index changed: the engine alone makes commits.

    Attributes:
        home: the home folder of the programs inside. real_home: that of the person, with their toolchains.
        path: folders of programs, as in `PATH`.
        private: the program's own folders, which nothing inside may see.
        proxy: socket of the proxy that leads to allowed domains; None for no way out.
    """

    program: str
    home: Path
    real_home: Path
    path: tuple[Path, ...]
    private: tuple[Path, ...]
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()
    proxy: Path | None = None

    def command(self, arguments: Sequence[str], directory: Path, *, scratch: Sequence[Path] = ()) -> list[str]:
        """`arguments` in the sandbox around the project in `directory`, started there; `scratch` can be written too."""
        inside = [*self.arguments(directory, scratch=scratch), "--chdir", str(directory), "--"]
        return [*inside, *self._prologue(directory), *arguments]

    def shell_line(self, directory: Path, *, scratch: Sequence[Path] = ()) -> str:
        """The beginning of a shell command that runs what follows it in the sandbox, in the shell's own folder."""
        options = shlex.join(self.arguments(directory, scratch=scratch))
        return f'{options} --chdir "$PWD" -- {shlex.join(self._prologue(directory))}'

    def arguments(self, directory: Path, *, scratch: Sequence[Path] = ()) -> list[str]:
        """The program and its options, without what to run and where."""
        built = [self.program, "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
        built += ["--proc", "/proc", "--dev", "/dev"]
        built += self._system()
        built += ["--tmpfs", "/tmp", "--tmpfs", "/var/tmp"]
        built += self._homes()
        built += _mounted("--ro-bind-try", (*self._programs(), *self.certificates, *self.readable))
        for home in self._homes_of_toolchains():
            built += self._nothing_of(_SECRET_IN_HOME, home)
        built += _empty(self.private)
        built += _mounted("--bind", (directory, *self.writable, *scratch))
        built += self._kept(directory)
        built += _empty(folder for folder in self.private if _within(folder, directory))
        if self.proxy is not None:
            built += ["--ro-bind", str(self.proxy), _PROXY_SOCKET]
        built += ["--remount-ro", "/"]
        # The person's own proxies cannot be reached, and may have a password.
        built += [argument for name in _PROXY_VARIABLES for argument in ("--unsetenv", name)]
        return [*built, *_set({"TMPDIR": "/tmp", "SHELL": "/bin/bash", **self._proxies()})]

    def _system(self) -> Iterator[str]:
        for name in _SYSTEM:
            folder = Path(name)
            if folder.is_symlink():
                yield from ("--symlink", str(folder.readlink()), name)
            elif folder.is_dir():
                yield from ("--ro-bind", name, name)
        yield from self._nothing_of(_SECRET_SYSTEM, Path("/"))
        yield from _empty(folder for folder in map(Path, _SECRET_FOLDERS) if folder.is_dir())

    def _homes(self) -> Iterator[str]:
        for home in dict.fromkeys((self.real_home, self.home)):
            if home == Path("/"):
                continue
            yield from ("--tmpfs", str(home))

    def _programs(self) -> Iterator[Path]:
        """Where programs are that do not come with the system: the person's toolchains, this Python, `PATH`."""
        yield from (home / name for home in self._homes_of_toolchains() for name in _TOOLCHAINS)
        yield from (Path(sys.base_prefix), Path(sys.prefix))
        for folder in self.path:
            if folder.is_absolute() and not any(_within(kept, folder) for kept in (self.real_home, *self.private)):
                yield folder

    def _homes_of_toolchains(self) -> Sequence[Path]:
        """The person's home, and others whose toolchains are in `PATH`: some of their programs need all of it."""
        named = (place for folder in self.path for place in (folder, *folder.parents))
        others = (place.parent for place in named if place.name in _TOOLCHAINS and place.name.startswith("."))
        return tuple(dict.fromkeys((self.real_home, *others)))

    def _nothing_of(self, names: Sequence[str], folder: Path) -> Iterator[str]:
        for file in (folder / name for name in names):
            if file.is_file():
                yield from ("--ro-bind", "/dev/null", str(file))

    def _kept(self, directory: Path) -> Iterator[str]:
        # A link an agent put there would bring in what it leads to.
        yield from _mounted("--ro-bind", (directory / name for name in _KEPT if _is_real(directory / name)))
        git = project_of(directory) / ".git"
        if not _is_real(git):
            return
        yield from ("--tmpfs", str(git))
        yield from _mounted("--ro-bind-try", (git / name for name in _SEEN_OF_GIT))
        yield from ("--ro-bind-try", str(git / "objects"), _GIT_OBJECTS)
        own = _own_git(directory)
        if own != git:
            yield from _mounted("--ro-bind-try", (directory / ".git", *(own / name for name in _SEEN_OF_WORKTREE)))
        yield from ("--ro-bind-try", str(own / "index"), _GIT_INDEX)

    def _prologue(self, directory: Path) -> Sequence[str]:
        """What runs inside before the command and becomes it."""
        git = project_of(directory) / ".git"
        own_index, bridge = _is_real(git), self.proxy is not None
        if not own_index and not bridge:
            return ()
        script = _OWN_INDEX * own_index + _BRIDGE * bridge + 'exec "$@"'
        return (
            "/bin/bash" if bridge else "/bin/sh",
            "-c",
            script,
            "sandbox",
            *([str(git), str(_own_git(directory))] * own_index),
        )

    def _proxies(self) -> dict[str, str]:
        if self.proxy is None:
            return {}
        there = f"http://127.0.0.1:{_PROXY_PORT}"
        named = {"HTTP_PROXY": there, "HTTPS_PROXY": there, "NO_PROXY": _LOCAL}
        return named | {name.lower(): value for name, value in named.items()}


def can_bridge(path: str | None) -> bool:
    """Whether what leads from the sandbox to a proxy is installed."""
    return shutil.which("socat", path=path) is not None and Path("/bin/bash").exists()


def find_bubblewrap(
    environ: Mapping[str, str],
    *,
    paths: Paths,
    home: Path | None = None,
    readable: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    proxy: Path | None = None,
) -> Bubblewrap | None:
    """The sandbox of this machine; None where bubblewrap is not installed. `home` is another than the person's own."""
    search = environ.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    program = shutil.which("bwrap", path=search) if sys.platform.startswith("linux") else None
    if program is None:
        return None
    real_home = Path(environ.get("HOME") or Path.home()).absolute()
    return Bubblewrap(
        program=program,
        home=home or real_home,
        real_home=real_home,
        path=tuple(Path(folder) for folder in search.split(":") if folder),
        private=tuple(dict.fromkeys((paths.data, paths.config, paths.logs))),
        readable=tuple(readable),
        writable=tuple(writable),
        certificates=tuple(Path(environ[name]) for name in CERTIFICATES if environ.get(name, "").startswith("/")),
        proxy=proxy,
    )


def _mounted(how: str, folders: "Sequence[Path] | Iterator[Path]") -> list[str]:
    return [argument for folder in dict.fromkeys(folders) for argument in (how, str(folder), str(folder))]


def _empty(folders: "Sequence[Path] | Iterator[Path]") -> list[str]:
    return [argument for folder in folders if folder.is_dir() for argument in ("--tmpfs", str(folder))]


def _set(variables: Mapping[str, str]) -> list[str]:
    return [argument for name, value in variables.items() for argument in ("--setenv", name, value)]


def _within(inner: Path, outer: Path) -> bool:
    return inner.is_relative_to(outer)


def _own_git(directory: Path) -> Path:
    """What git keeps of this folder alone: in a worktree that is a part of the project's repository."""
    git = project_of(directory) / ".git"
    return git if project_of(directory) == directory else git / "worktrees" / directory.name


def _is_real(path: Path) -> bool:
    return path.exists() and not path.is_symlink()
