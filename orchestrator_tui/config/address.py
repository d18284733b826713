"""Where something is served, and the one address that is used for it."""

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator_tui.domain.errors import ServeFailed, UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Address:
    """`origin` is what it is called from outside, as in `http://127.0.0.1:8000`; `hosts` are the names it answers to.
    `local` means that only this machine can reach it."""

    origin: str
    hosts: frozenset[str]
    port: int
    local: bool

    @property
    def encrypted(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def websocket_origin(self) -> str:
        return "ws" + self.origin.removeprefix("http")


def check_host(host: str, public_url: str | None) -> str:
    """The host to listen on.

    Raises:
        UsageError: it is every address of this machine, and nothing says which of them browsers use.
    """
    if host == "localhost":
        return "127.0.0.1"
    if not host.strip():
        raise UsageError("--host is empty.", hint="Leave it out for this machine only.")
    ip = _ip(host)
    if ip is not None and ip.is_unspecified and public_url is None:
        raise UsageError(
            f"--host {host} is every address of this machine.",
            hint="Say which one browsers use: --public-url http://NAME:PORT.",
        )
    return host


def check_public_url(url: str, flag: str = "--public-url") -> str:
    """The origin that `url` names, which was given by `flag`.

    Raises:
        UsageError: it is no http or https address, or more than a host and a port.
    """
    hint = "It looks like https://dashboard.example.org or http://localhost:9000."
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{flag} {url!r} is no address: {error}.", hint=hint) from error
    if scheme not in _DEFAULT_PORTS or not host or not host.isascii():
        raise UsageError(f"{flag} {url!r} is no http or https address.", hint=hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{flag} {url!r} says more than a host and a port.", hint=hint)
    return f"{scheme}://{_netloc(scheme, host, port)}"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any free one. Looks the name up, so it may take a while.

    Raises:
        ServeFailed: the port is in use, or the host is not one of this machine.
    """
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=64)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = "Choose another one with --port; --port 0 takes any that is free."
            raise ServeFailed(f"Port {port} of {host} is in use.", hint=hint) from error
        reason = _reason(error)
        hint = "Check --host and --port; without them it is this machine only, at the usual port."
        raise ServeFailed(f"Nothing can listen at {host}, port {port}: {reason}.", hint=hint) from error


def address_of(listening: socket.socket, host: str, public_origin: str | None, scheme: str = "http") -> Address:
    """How a listening socket is reached: at the public address if there is one, at `host` otherwise."""
    port = listening.getsockname()[1]
    own = _netloc(scheme, host, port)
    origin = public_origin or f"{scheme}://{own}"
    return Address(
        origin=origin,
        hosts=frozenset({own.lower(), origin.split("://")[1]}),
        port=port,
        local=all(map(_is_local, (listening.getsockname()[0], urlsplit(origin).hostname or ""))),
    )


def _reason(error: OSError) -> str:
    """Without the address, which Python adds to what the system says; errors of a look-up have negative numbers."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else f"{error.strerror or error}"


def _netloc(scheme: str, host: str, port: int | None) -> str:
    name = f"[{host.lower()}]" if ":" in host else host.lower()
    return name if port in (None, _DEFAULT_PORTS[scheme]) else f"{name}:{port}"


def local_names(scheme: str, port: int) -> frozenset[str]:
    """What this machine calls itself, as a Host header says it."""
    return frozenset(_netloc(scheme, name, port) for name in ("127.0.0.1", "localhost", "::1"))


def local_names_of(origin: str) -> frozenset[str]:
    """What this machine calls itself at the port of `origin`, when that is an address of this machine, as where the
    port of a container is published under another number; nothing otherwise."""
    if not is_local_url(origin):
        return frozenset()
    parts = urlsplit(origin)
    return local_names(parts.scheme, parts.port or _DEFAULT_PORTS[parts.scheme])


def is_local_url(url: str) -> bool:
    """Whether `url`, an origin, is on this machine, so that nobody else hears what is said to it."""
    return _is_local(urlsplit(url).hostname or "")


def _is_local(host: str) -> bool:
    ip = _ip(host)
    return host == "localhost" if ip is None else ip.is_loopback


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
