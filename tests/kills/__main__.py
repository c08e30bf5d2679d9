"""Kill the service again and again, and say what was lost or done twice. See `kills`.

    python -m tests.kills --kills 1000 --seed 1

One line of JSON for each database; the status is 1 if anything was lost or done twice.
"""

import argparse
import json
import sys
from dataclasses import asdict

from tests.kills.kills import run

KINDS = ("sqlite", "postgresql")


def main() -> None:
    """Run over the databases that were asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--database", choices=[*KINDS, "both"], default="both")
    parser.add_argument("--kills", type=int, default=1000, help="on each database")
    parser.add_argument("--cold", type=int, default=3, help="of them, on processes that the commands start")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--bundle",
        default="none",
        help="folder of a bundle; none: rules alone, so that every post is held and owes its messages",
    )
    given = parser.parse_args()
    faults = 0
    for kind in KINDS if given.database == "both" else (given.database,):
        result = run(kind, given.kills, given.seed, cold=given.cold, bundle=given.bundle)
        sys.stdout.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
        sys.stdout.flush()
        faults += len(result.faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
