"""What kills of a node leave: SIGKILL at random moments, everything counted afterwards.

First while studies come in by two associations each: what was acknowledged must be on the disk,
readable and in the index, and nothing unfinished may be left once the node starts again.  Then
while a node analyses and sends: every study must be analysed, and the archive must end up with one
result of each, however often it came.  The node is that of tests/archive/node_process.py: its
store, queue and sender are the real ones, its analysis is a stand-in that takes a moment.

    python benchmarks/node_kills.py [--kills 40] [-o benchmarks/node_kills.json]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.archive.kill_rounds import killed_while_receiving, killed_while_working


def is_whole(receiving: Mapping[str, int], working: Mapping[str, int]) -> bool:
    """Whether nothing was lost, left over or doubled."""
    faultless = {"kills", "sent", "acknowledged"}
    free = {"kills_at_work", "sent_again_under_the_same_uid"}
    counts = [n for name, n in working.items() if name not in free]
    return (
        all(n == 0 for name, n in receiving.items() if name not in faultless)
        and len(set(counts)) == 1
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = Path(name, "receiving"), Path(name, "working")
        for folder in folders:
            folder.mkdir()
        receiving = killed_while_receiving(folders[0], options.kills)
        print(json.dumps(receiving, indent=1))
        working = killed_while_working(folders[1], options.kills)
    figures = {"receiving": receiving, "analysing_and_sending": working}
    print(json.dumps(figures, indent=1))
    if options.output is not None:
        options.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if is_whole(receiving, working) else 1


if __name__ == "__main__":
    sys.exit(main())
