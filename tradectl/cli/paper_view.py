"""The terminal view of a running paper session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradectl.cli.output import money, out
from tradectl.cli.paper_reading import Reader

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session

__all__ = ["live_view"]

REFRESH_S = 0.25


async def live_view(session: Session) -> None:
    """Show the session until cancelled."""
    from rich.live import Live
    from rich.text import Text

    reader = Reader(session)
    with Live(console=out(), auto_refresh=False, screen=True) as live:
        while True:
            account = reader.account()
            lines = [
                f"{session.folder.path.name}  paper  trading {account.trading_state}",
                f"equity {money(account.equity)} {account.currency}  P&L {money(account.pnl)}",
                *(f"{p.instrument} {p.qty:g} @ {p.avg_price:g}" for p in reader.held()),
                *(f"{o.order_id} {o.side} {o.leaves:g} @ {o.price} {o.status}" for o in reader.working(10)),
            ]
            live.update(Text("\n".join(lines)), refresh=True)
            await asyncio.sleep(REFRESH_S)
