"""
Which addresses we may open: the policy behind every URL that a stranger gives us.

`ipaddress.is_global` is not that policy: it calls multicast, cloud metadata and the IPv6
spellings of 127.0.0.1 global, and changes with Python's patch level. So the lists are ours.
"""

import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Thread
from typing import Final, TypeAlias

from httpx2 import URL, InvalidURL

from app.errors import SourceForbidden, SourceUnreachable

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Lookup: TypeAlias = Callable[[str, int], Sequence[str]]  #: host, port -> addresses, best first


def _table(**reasons: str) -> tuple[tuple[Network, str], ...]:
    return tuple(
        (ip_network(network), reason.replace("_", " "))
        for reason, networks in reasons.items()
        for network in networks.split()
    )


#: What `allow_private` opens.
PRIVATE: Final = _table(
    loopback="127.0.0.0/8 ::1/128",
    private="10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
    carrier_grade_NAT="100.64.0.0/10",
)

#: What nothing opens. Of IPv6, only 2000::/3 is handed out as public at all.
NEVER: Final = _table(
    cloud_metadata="100.100.100.200/32 168.63.129.16/32 fd00:ec2::/32 fd20:ce::254/128",
    this_network="0.0.0.0/8",
    link_local="169.254.0.0/16",
    protocol_assignment="192.0.0.0/24 192.31.196.0/24 192.52.193.0/24 192.175.48.0/24 2001::/23",
    documentation="192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
    relay_of_6to4="192.88.99.0/24 2002::/16",
    benchmarking="198.18.0.0/15",
    multicast="224.0.0.0/4",
    reserved="240.0.0.0/4",
)
PUBLIC_IPV6: Final = IPv6Network("2000::/3")
ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)  # the middle of ISATAP's last 64 bits, then an IPv4

LONGEST_URL: Final = 8192  # presigned ones are long


def forbidden(address: Address, *, allow_private: bool = False) -> str | None:
    """Why we do not open `address`, or None if we do."""
    if reason := _listed(address, NEVER):
        return reason
    if reason := _listed(address, PRIVATE):
        return None if allow_private else reason
    if isinstance(address, IPv6Address):
        return _not_public(address)
    return None


def _listed(address: Address, table: tuple[tuple[Network, str], ...]) -> str | None:
    return next((reason for network, reason in table if address in network), None)


def _not_public(address: IPv6Address) -> str | None:
    if address not in PUBLIC_IPV6:
        return "not public IPv6"
    return "ISATAP" if (int(address) >> 32) & 0xFFFF_FFFF in ISATAP else None


def check_url(url: str, *, allow_private: bool) -> URL:
    """
    Refuse what can be told without the network; return the URL as it will be opened.

    The parser is the sender's own, so that both see the same host. Raises `SourceForbidden`.
    """
    if len(url) > LONGEST_URL:
        raise SourceForbidden(f"An address has at most {LONGEST_URL} characters.")
    try:
        parsed = URL(url)
    except InvalidURL:
        raise SourceForbidden("That is not a URL.") from None
    if parsed.scheme not in ("http", "https"):
        raise SourceForbidden("Only http and https addresses are opened.")
    if parsed.userinfo:
        raise SourceForbidden("An address must not carry a user name or password.")
    _check_port(parsed.port, allow_private=allow_private)
    _check_host(parsed.raw_host.decode("ascii"), allow_private=allow_private)
    return parsed


def _check_port(port: int | None, *, allow_private: bool) -> None:
    if port in (None, 80, 443):
        return
    if not (allow_private and 0 < port < 2**16):
        raise SourceForbidden("Only ports 80 and 443 are opened.")


#: What resolvers read as a number: 2130706433, 127.1 and 0x7f.1 are all 127.0.0.1.
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def _check_host(host: str, *, allow_private: bool) -> None:
    if address := literal(host):
        if reason := forbidden(address, allow_private=allow_private):
            raise SourceForbidden(f"That address is not opened: {reason}.")
        return
    name = host.removesuffix(".")
    if not _NAME.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise SourceForbidden("That is not a host name.")
    if f".{name}".endswith(".localhost") and not allow_private:
        raise SourceForbidden("That address is not opened: loopback.")


def literal(host: str) -> Address | None:
    """The address that `host` spells out, if it is one and not a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def lookup(host: str, port: int) -> list[str]:
    """All addresses of `host` as the system's resolver orders them."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


def resolve(
    host: str, port: int, *, allow_private: bool, timeout: float, lookup: Lookup = lookup
) -> str:
    """
    The one address to connect to, so that no second look-up can answer otherwise.

    Every answer must pass, not only the first. Raises `SourceForbidden`, and
    `SourceUnreachable` for a name without answer within `timeout` seconds.
    """
    answers = [host] if literal(host) else _within(timeout, lookup, host, port)
    if any(forbidden(ip_address(answer), allow_private=allow_private) for answer in answers):
        raise SourceForbidden("That name leads to an address we do not open.")
    return answers[0]


def _within(timeout: float, lookup: Lookup, host: str, port: int) -> Sequence[str]:
    """Resolvers know no deadline, so the look-up gets a thread that we may leave behind."""
    answer = Future[Sequence[str]]()

    def ask() -> None:
        try:
            answer.set_result(lookup(host, port))
        except Exception as error:
            answer.set_exception(error)

    Thread(target=ask, name="lookup", daemon=True).start()
    try:
        answers = answer.result(timeout)
    except (OSError, TimeoutError, UnicodeError):
        raise SourceUnreachable("The host's name could not be resolved.") from None
    if not answers:
        raise SourceUnreachable("The host's name has no address.")
    return answers
