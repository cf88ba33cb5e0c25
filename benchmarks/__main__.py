"""``python -m benchmarks``: measure, each in a process of its own, and write docs/performance.md."""

import argparse
import json
import subprocess
import sys

from benchmarks import compose, deliver, inbox, match, peer, report

COMPOSE = (10_000, 100_000, 1_000_000)
PEER = 100_000
INBOX = 1_000_000
DELIVER = 10_000


def main() -> None:
    """Measure what is asked for; without ``--quick`` the page is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, printed and not written")
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "COUNT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        what, count = asked.one[0], int(asked.one[1])
        if what.startswith("match:"):
            print(json.dumps(match.measure(what.partition(":")[2], count).to_json()))
            return
        if what == "inbox":
            print(json.dumps(inbox.measure(count).to_json()))
            return
        if what == "peer":
            print(json.dumps(peer.measure(count).to_json()))
            return
        done = compose.measure(count) if what == "compose" else deliver.measure(what, count)
        print(json.dumps(done.to_json()))
        return
    scale = 10 if asked.quick else 1
    composed = [compose.Composed(**_alone("compose", count // scale)) for count in COMPOSE]
    enqueued = peer.Enqueued(**_alone("peer", PEER // scale))
    managed = inbox.Measured(**_alone("inbox", INBOX // scale))
    delivered = [deliver.Delivered(**_alone(channel, DELIVER // scale)) for channel in ("smtp", "twilio")]
    matched = [match.Matched(**_alone(f"match:{one}", match.TEXTS // scale)) for one in ("zh-CN", "en")]
    command = "python -m benchmarks" + (" --quick" if asked.quick else "")
    if asked.quick:
        print(report.page(composed, enqueued, managed, delivered, matched, command))
    else:
        report.write(composed, enqueued, managed, delivered, matched, "make bench")
        print(report.PAGE.read_text("utf-8"))


def _alone(what: str, count: int):  # type: ignore[no-untyped-def]
    """Measure in a fresh process, so that one peak does not hide another."""
    print(f"measuring {what}, {count:,} messages …", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--one", what, str(count)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
