"""A strategy for tests of sessions: orders that end by themselves, and all that `ctx` tells of hours."""

from tradectl.strategy import DAY, GTD, Int64, strategy


@strategy
class DayTrader:
    """Buys and sells by counting bars; adds up what it is told of sessions."""

    class State:
        bars = Int64()
        session = Int64()
        sessions = Int64()
        told = Int64()
        expired = Int64()

    def on_bar(ctx, p, s):
        s.bars += 1
        if ctx.session != s.session:
            s.session = ctx.session
            s.sessions += 1
        s.told += ctx.session_close // 1_000_000_000 - ctx.session_open // 1_000_000_000 + ctx.is_session_open
        if s.bars % 3 == 0:
            ctx.buy(1.0, limit=ctx.close * 0.999, tif=DAY)
        if s.bars % 4 == 0:
            ctx.sell(1.0, limit=ctx.close * 1.001, tif=GTD, expire=ctx.now + 150_000_000_000)
        if s.bars % 7 == 0:
            ctx.buy(0.5, tif=DAY)
        if s.bars % 11 == 0:
            ctx.sell(0.5, stop=ctx.close * 0.998, tif=DAY)

    def on_order(ctx, p, s, report):
        if report.reason > 314:
            s.expired += 1
            s.told += report.ts_event // 1_000_000_000 + ctx.session
