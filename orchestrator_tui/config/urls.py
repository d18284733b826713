"""Checks addresses in settings."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_GIT = frozenset({"file", "ssh", "https", "http", "git"})
_SCP = re.compile(r"[A-Za-z0-9][\w.-]*(?:@[A-Za-z0-9][\w.-]*)?:[^:\s][^\s]*")


def check_api_url(url: str) -> str:
    """The address of an API that gets a key: encrypted, or of this machine.

    Raises:
        ValueError: it is something else.
    """
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password:
        raise ValueError("no address of an API")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
        raise ValueError("not encrypted")
    return url


def check_remote(text: str) -> str:
    """What repositories of projects lie below: a folder, or an address that git knows, without a password.

    Raises:
        ValueError: it is something else.
    """
    if text.startswith("/"):
        return text
    if "://" not in text:
        if not _SCP.fullmatch(text):
            raise ValueError("no absolute path and no address")
        return text
    parts = urlsplit(text)
    if parts.scheme not in _GIT or parts.password or not (parts.hostname or parts.scheme == "file"):
        raise ValueError("no address of a git server, or one with a password")
    if parts.username and parts.scheme in ("http", "https"):
        raise ValueError("credentials do not belong into it")
    return text


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
