"""A paper session over the replayed hub in a process of its own, to be killed: CONFIG OUT RESUME BEGIN."""

from __future__ import annotations

import sys
from pathlib import Path

import tradectl.cli.runner_paper as runner
from tests.paper.replayed import EventClock, ReplayedHub


class SlowHub(ReplayedHub):
    burst = 2
    limit = 1 << 40


def main() -> None:
    config, out, resume, begin = sys.argv[1:]
    SlowHub.begin = int(begin)
    runner.Hub, runner.Clock = SlowHub, EventClock  # type: ignore[misc, assignment]
    again = Path(resume) if resume else None

    async def end_with_the_sample(session: object) -> None:
        session.hub.done = lambda: session.stop("the sample is over")  # type: ignore[attr-defined]

    request = runner.PaperRequest(
        None if again else Path(config), again, out=Path(out), watches=(end_with_the_sample,)
    )
    runner.run_paper(request, lambda *_: None)


if __name__ == "__main__":
    main()
