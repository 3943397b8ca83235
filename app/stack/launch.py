"""
Becomes another program: without root's powers if asked, and not outliving its parent.

Run by path, `python launch.py PARENT SIGNAL USER PROGRAM ARGUMENT…`, between fork and exec, where
Popen's `preexec_fn` would not be safe beside threads. Imports nothing of ours: it starts in 20 ms.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
LINUX = sys.platform == "linux"


def drop_root(user: str) -> None:
    """
    Become `user`, keeping of all powers only the one that passes closed directories.

    PostgreSQL refuses root, yet root's clones live below directories like /root that are closed
    to everybody else, and changing their modes is not ours to do. The power opens files, too: less
    than root, more than nobody. Where the kernel does not grant it (some sandboxes), the program
    itself says which directory it could not enter.
    """
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    if not LINUX:
        os.setuid(entry.pw_uid)
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setuid(entry.pw_uid)
    power = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)(power, power, power, 0, 0, 0))
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def die_with(parent: int, signal: int) -> None:
    """Have the kernel send `signal` to us when `parent` is gone, however it went."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:  # it went before we could ask
        sys.exit(1)


def main(parent: str, signal: str, user: str, *argv: str) -> None:
    """Change who we are first: a change of user clears the death signal."""
    if user:
        try:
            drop_root(user)
        except (KeyError, OSError) as error:
            sys.exit(
                f"Cannot become {user}, and PostgreSQL refuses root: {error}. Run as somebody"
                " else, or set DATABASE_URL."
            )
    die_with(int(parent), int(signal))
    os.execv(argv[0], argv)  # noqa: S606 - becoming another program is the point


if __name__ == "__main__":
    main(*sys.argv[1:])
