"""Plays seeds and prints a table: `scripts/chaos --seeds 100 --from 0`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from chaos.engines import engines
from chaos.play import Played, play, undisturbed
from chaos.scenario import draw


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    scenarios = [draw(seed) for seed in range(wanted.first, wanted.first + wanted.seeds)]
    failed = 0
    with engines(folder / "engine") as both:
        references = {
            program.name: undisturbed(program, both, folder / f"undisturbed-{program.name}")
            for program in {scenario.program for scenario in scenarios}
        }
        print("| seed | trains | struck | noticed after | goes on after | trained again | lost |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for scenario in scenarios:
            played = play(scenario, both, references, folder / f"seed-{scenario.seed}")
            _show(played)
            failed += bool(played.wrong)
            if played.wrong:
                print(f"seed {scenario.seed} does not hold; see {folder}", file=sys.stderr)
                print(*played.wrong, *played.timeline, sep="\n", file=sys.stderr, flush=True)
    print(f"\n{len(scenarios) - failed} of {len(scenarios)} seeds hold")
    return 1 if failed else 0


def _show(played: Played) -> None:
    ledgers = [one for one in played.outcome.ledgers.values() if one] if played.outcome else []
    lost = "WRONG" if played.wrong else str(sum(one.lost for one in ledgers) or "nothing")
    hits = played.hits
    row = (
        str(played.scenario.seed),
        played.scenario.program.name,
        "; ".join(f"{hit.when}: {hit.what}" for hit in hits) or "nothing: it was over before",
        ", ".join(_seconds(hit.noticed) for hit in hits),
        ", ".join(_seconds(hit.going_on) for hit in hits),
        str(sum(one.repeated for one in ledgers)),
        lost,
    )
    print(f"| {' | '.join(row)} |", flush=True)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
