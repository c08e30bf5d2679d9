"""Who runs a command, for the audit log."""

import os
import pwd

from api.accounts import Actor


def operator() -> Actor:
    """Return the operator of this machine, by the name of the system's user."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(f"command:{name}")
