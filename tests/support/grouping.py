"""Which tests stay together in one process: those of files with the same `xdist_group`.

pytest-xdist 3.8 carries a group to its scheduler as a suffix of the test's id, and pytest 9.2 no longer lets
it write one: the mark does nothing, and says nothing (pytest-xdist issue 1386). The files themselves still
tell it, so they are read here. A mark holds for its whole file.
"""

import re
from functools import cache
from pathlib import Path

from xdist.scheduler.loadscope import LoadScopeScheduling

MARK = re.compile(
    r'^(?:pytestmark = | {4}|pytestmark = \[.*)pytest\.mark\.xdist_group\("(\w+)"\)', re.MULTILINE
)


@cache
def group_of(file: Path) -> str | None:
    """Return the group that a test file names, or None."""
    found = MARK.search(file.read_text(encoding="utf-8"))
    return found.group(1) if found else None


class ByGroup(LoadScopeScheduling):
    """Sends a group to one process as a whole, largest first, and every other test to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(self.config.rootpath / nodeid.partition("::")[0]) or nodeid
