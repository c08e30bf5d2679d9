from pathlib import Path

from tests.support.grouping import group_of

TESTS = Path(__file__).parents[1]


def test_no_file_asks_in_vain_to_stay_in_one_process() -> None:
    files = [file for file in TESTS.glob("**/test_*.py") if file != Path(__file__)]
    asking = {file for file in files if "xdist_group(" in file.read_text(encoding="utf-8")}

    assert {file for file in files if group_of(file)} == asking
    assert {group_of(file) for file in TESTS.glob("browser/test_*.py")} == {"browser"}
