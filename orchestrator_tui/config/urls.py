"""Checks addresses in settings."""

from ipaddress import ip_address
from urllib.parse import urlsplit


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


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
