"""Compare the sandbox with a running RabbitMQ, at length: `python -m tests.differential --programs 2000`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter

from .campaign import Task, reports
from .rabbit import DEFAULT_URL, Rabbit


def main() -> int:
    """Run the programs and print what was found; 1 if there is a difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=40, help="of a program, at most")
    parser.add_argument("--seed", type=int, default=1, help="the number of the first program")
    parser.add_argument("--url", default=os.environ.get("AMQP_URL", DEFAULT_URL))
    parser.add_argument(
        "--jobs", type=int, default=4, help="processes: most of the time is waited for the broker"
    )
    parser.add_argument("--most", type=int, default=10, help="stop after so many differences")
    parser.add_argument("--long", action="store_true", help="leave a program that fails as long as it is")
    options = parser.parse_args()
    version = Rabbit(options.url).version
    name = "RabbitMQ " + ".".join(map(str, version))
    print(f"{name}: {options.programs} programs of {options.steps} steps, seed {options.seed}", flush=True)
    began, counts, differences, reported = time.monotonic(), Counter[str](), 0, 0
    numbers = range(options.seed, options.seed + options.programs)
    tasks = [Task(number, options.steps, shrink=not options.long) for number in numbers]
    for number, counted, text in reports(options.url, tasks, options.jobs):
        counts.update(counted)
        if text:
            differences += 1
            print(f"\n== seed {number}\n{text}\n", flush=True)
        if counts["programs"] >= reported + 100:
            reported = counts["programs"] // 100 * 100
            rate = counts["programs"] / (time.monotonic() - began)
            print(f"{reported} programs, {differences} differences, {rate:.1f} a second", flush=True)
        if differences >= options.most:
            break
    print(
        f"{name}, seed {options.seed}: {counts['programs']} programs, {counts['steps']} steps, "
        f"{counts['observations']} observations in {time.monotonic() - began:.0f} s: "
        f"{differences} differences ({counts['slow']} runs were too slow and repeated, "
        f"{counts['unsteady']} differed once and not again, {counts['given up']} were always too slow)"
    )
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
