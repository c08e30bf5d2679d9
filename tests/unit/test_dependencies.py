import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_dependency_stands_in_the_reference_with_its_reason_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    page = (ROOT / "docs/reference/dependencies.md").read_text(encoding="utf-8")
    page = page.split("| file |", maxsplit=1)[0]  # what is vendored stands in a table of its own after these
    rows = dict(re.findall(r"^\| ([\w-]+) \| (.+ \| .+) \|$", page, flags=re.MULTILINE))

    names = {re.match(r"[\w-]+", one).group() for one in declared}
    assert names - set(rows) == set()
    assert set(rows) - names == {"package"}
