"""How soon a connection that ends without a word is noticed: in seconds, not minutes."""

import socket
from typing import Any, Final

#: Of a firewall that forgot us, or a host that is gone, nobody hears. What was sent and not
#: acknowledged for ten seconds is an error, and an idle connection is asked after five.
_WANTED: Final = {
    "TCP_KEEPIDLE": 5,
    "TCP_KEEPINTVL": 2,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 10_000,
}

#: For connections to Postgres: libpq's names.
POSTGRES: Final[dict[str, int]] = {
    "keepalives_idle": _WANTED["TCP_KEEPIDLE"],
    "keepalives_interval": _WANTED["TCP_KEEPINTVL"],
    "keepalives_count": _WANTED["TCP_KEEPCNT"],
    "tcp_user_timeout": _WANTED["TCP_USER_TIMEOUT"],
}

#: For connections to Redis. Linux knows all of them.
REDIS: Final[dict[str, Any]] = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        getattr(socket, name): value for name, value in _WANTED.items() if hasattr(socket, name)
    },
}
