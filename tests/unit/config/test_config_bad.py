"""Bad configurations as a table: one row = a change to a good file → line, key and words of the message."""

# ruff: noqa: E501 (YAML and messages stand as they are read)

from __future__ import annotations

import pytest

from tradectl.config.load import load_config, load_text
from tradectl.errors import ConfigError

GOOD = """\
name: base
strategy: {path: sma.py, params: {fast: 10}}
data:
  source: btc.csv
  timeframe: 1m
  symbols: [BTC/USD]
"""

# (added or whole text, expected substrings); added text starts in line 7
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown root key": (
        "exection: {}",
        ("c.yaml:7: exection: unknown key 'exection'; did you mean 'execution'? valid: account, bars,",),
    ),
    "key of another block": ("leverage: 2", ("c.yaml:7: leverage:", "did you mean account.leverage?")),
    "unknown nested key": (
        "execution:\n  slippage: {tick: 1}",
        (
            "c.yaml:8: execution.slippage.tick: unknown key 'tick'; did you mean 'ticks'?",
            "bps, ticks, volume_share",
        ),
    ),
    "wrong choice": (
        "execution: {fill_at: nextopen}",
        (
            "c.yaml:7: execution.fill_at: expected one of next_open, close; got 'nextopen' "
            "(did you mean 'next_open'?)",
        ),
    ),
    "choice in capitals": ("account: {type: MARGIN}", ("c.yaml:7: account.type:", "did you mean 'margin'?")),
    "choice of another type": (
        "execution: {path: 3}",
        ("c.yaml:7: execution.path: expected one of adaptive,", "got 3"),
    ),
    "fill at close with latency": (
        "execution:\n  fill_at: close\n  latency: {entry: 50ms}",
        (
            "c.yaml:8: execution.fill_at: `close` fills on the bar just seen",
            "entry latency 50ms",
            "next_open",
        ),
    ),
    "leverage of a cash account": (
        "account:\n  type: cash\n  leverage: 3",
        ("c.yaml:9: account.leverage: a cash account has no leverage; write `type: margin`", "got 3"),
    ),
    "leverage below one": (
        "account: {type: margin, leverage: 0.5}",
        ("expected a number >= 1 and <= 1000", "got 0.5"),
    ),
    "balance and balances": (
        "account: {balance: 5, balances: {USD: 5}}",
        ("c.yaml:7: account.balance: give either `balance` or `balances`",),
    ),
    "no money": (
        "account: {balance: 0}",
        ("c.yaml:7: account.balance: the account starts without any money",),
    ),
    "own rate": (
        "account: {rates: {USD: 2}}",
        ("c.yaml:7: account.rates.USD: the rate of the account's own currency 'USD' is 1",),
    ),
    "bars finer than the data": (
        "bars: [1h, 30s]",
        ("c.yaml:7: bars[1]: '30s' is finer than the data ('1m'); bars can only be made longer",),
    ),
    "bars no timeframe": (
        "bars: 7m",
        ("c.yaml:7: bars[0]: expected a bar length that divides a day", "got '7m'"),
    ),
    "bars twice": ("bars: [60m, 1h]", ("c.yaml:7: bars: the bar length '1h' stands twice",)),
    "a month": ("bars: [1M]", ("c.yaml:7: bars[0]: a month, quarter or year has no fixed length",)),
    "another library's unit": ("bars: [5min]", ("c.yaml:7: bars[0]:", "did you mean '5m'?")),
    "bare number as bar length": ("bars: [60]", ("c.yaml:7: bars[0]:", "got 60 (did you mean '60m'?)")),
    "bar length of zero": ("bars: [0m]", ("c.yaml:7: bars[0]: expected a bar length above zero",)),
    "duration without unit": (
        "execution: {latency: {entry: 50}}",
        ("c.yaml:7: execution.latency.entry: expected a number with a unit", "e.g. 100ms or 5s; got 50"),
    ),
    "duration of words": (
        "engine: {watchdog: 2 minutes}",
        ("c.yaml:7: engine.watchdog:", "did you mean '2m'?"),
    ),
    "negative duration": (
        "engine: {watchdog: -5s}",
        ("c.yaml:7: engine.watchdog: expected a number with a unit",),
    ),
    "detail without a source": (
        "execution: {detail: 10s}",
        ("c.yaml:7: execution.detail: no data block has `detail: true`; add one with `timeframe: 10s`",),
    ),
    "participation of zero": (
        "execution: {participation: 0}",
        ("c.yaml:7: execution.participation: expected a fraction > 0 and <= 1, e.g. 0.25; got 0",),
    ),
    "participation in percent": (
        "execution: {participation: 50}",
        ("c.yaml:7: execution.participation:", "got 50 (did you mean 0.5, i.e. 50 %?)"),
    ),
    "participation with a percent sign": (
        "execution: {participation: 50%}",
        ("c.yaml:7: execution.participation:", "got '50%' (did you mean 0.5?)"),
    ),
    "two kinds of slippage": (
        "execution:\n  slippage:\n    ticks: 1\n    bps: 2",
        ("c.yaml:8: execution.slippage: expected one of ticks, bps, volume_share; got ticks and bps",),
    ),
    "ticks of a fraction": (
        "execution: {slippage: {ticks: 0.5}}",
        ("expected a whole number from 0", "got 0.5"),
    ),
    "fee in percent": (
        "fees: {taker: 0.1}",
        ("c.yaml:7: fees.taker: expected a fraction >= -0.01 and <= 0.05", "did you mean 0.001, i.e. 0.1 %?"),
    ),
    "rebate too large": ("fees: {maker: -0.02}", ("c.yaml:7: fees.maker:", ">= -0.01", "got -0.02")),
    "fee of text": ("fees: {maker: low}", ("c.yaml:7: fees.maker: expected a fraction", "got 'low'")),
    "fees of a number": (
        "fees: 0.001",
        ("c.yaml:7: fees: expected a mapping with the keys maker, taker; got 0.001",),
    ),
    "drawdown above one": (
        "risk: {max_drawdown: 20}",
        ("c.yaml:7: risk.max_drawdown:", "did you mean 0.2, i.e. 20 %?"),
    ),
    "drawdown of zero": (
        "risk: {max_drawdown: 0}",
        ("c.yaml:7: risk.max_drawdown: expected a fraction > 0 and <= 1",),
    ),
    "order rate of text": (
        "risk: {max_order_rate: many}",
        ("c.yaml:7: risk.max_order_rate: expected orders per duration, e.g. 100/1s; got 'many'",),
    ),
    "order rate of zero time": (
        "risk: {max_order_rate: 5/0s}",
        ("c.yaml:7: risk.max_order_rate.per: expected a window above zero",),
    ),
    "open orders not whole": ("risk: {max_open_orders: 1.5}", ("expected a whole number from 1", "got 1.5")),
    "limit not a number": (
        "risk: {max_position: .nan}",
        ("c.yaml:7: risk.max_position: expected a number > 0",),
    ),
    "decimal comma": ('fees: {maker: "0,01"}', ("got '0,01' (did you mean 0.01?)",)),
    "number with commas": (
        'account: {balance: "100,000"}',
        ("c.yaml:7: account.balance:", "got '100,000' (did you mean 100000?)"),
    ),
    "percent_equity in percent": (
        "sizing: {method: percent_equity, value: 95}",
        ("c.yaml:7: sizing.value: percent_equity takes a fraction", "got 95 (did you mean 0.95, i.e. 95 %?)"),
    ),
    "percent_equity beyond cash": (
        "sizing: {method: percent_equity, value: 1.5}",
        ("c.yaml:7: sizing.value:", "at most 1, all of it; got 1.5"),
    ),
    "sizing half given": (
        "sizing: {method: fixed}",
        ("c.yaml:7: sizing.value: this key is required (size by that method), e.g. value: 0.95",),
    ),
    "tick of zero": (
        "instruments:\n  BTC/USD:\n    tick_size: 0",
        ("c.yaml:9: instruments.BTC/USD.tick_size: expected a number > 0, e.g. 0.01; got 0",),
    ),
    "alias of itself": (
        "instruments: {BTC/USD: {alias: BTC/USD}}",
        ("c.yaml:7: instruments.BTC/USD.alias: 'BTC/USD' is its own alias",),
    ),
    "delisted before listed": (
        "instruments:\n  BTC/USD:\n    listed: 2020-01-01\n    delisted: 2019-01-01",
        ("c.yaml:9: instruments.BTC/USD.listed: `listed` (2020-01-01T00:00:00Z) must be before `delisted`",),
    ),
    "min above max": (
        "instruments: {BTC/USD: {min_qty: 2, max_qty: 1}}",
        ("`min_qty` (2) is above `max_qty` (1)",),
    ),
    "misspelt instrument": (
        "instruments: {BTCUSD: {tick_size: 1}}",
        (
            "c.yaml:7: instruments.BTCUSD: the symbol 'BTCUSD' is not among data.symbols (did you mean 'BTC/USD'?)",
        ),
    ),
    "symbol with a dot": (
        "instruments: {BRK.B: {tick: 1}}",
        ("c.yaml:7: instruments[BRK.B].tick: unknown key",),
    ),
    "capacity no power of two": (
        "engine: {order_capacity: 1000}",
        ("c.yaml:7: engine.order_capacity: expected a power of two", "got 1000 (nearest: 512 and 1024)"),
    ),
    "seed negative": ("seed: -1", ("c.yaml:7: seed: expected a whole number from 0", "got -1")),
    "yes for true": (
        "output: {journal: yes}",
        ("c.yaml:7: output.journal: expected true or false; got 'yes'", "true?"),
    ),
    "repeated key": ("name: again", ("c.yaml:7: name: the key stands twice; first in line 1",)),
    "both strategy forms": (
        "strategies: [{path: a.py}]",
        ("c.yaml:2: strategy: give either `strategy` (short for a list of one) or `strategies`, not both",),
    ),
    "tag": ("fees: !!python/name:os.system {}", ("c.yaml:7", "not")),
    "number as a block": (
        "risk: [1]",
        ("c.yaml:7: risk: expected a mapping with the keys max_order_qty", "a list of 1"),
    ),
    "mapping as a value": (
        "seed: {a: 1}",
        ("c.yaml:7: seed: expected a whole number", "got a mapping with a"),
    ),
    "true as a name": (
        "description: true",
        ("c.yaml:7: description: expected a text (put it in quotes); got true",),
    ),
    "on_strategy_error": (
        "on_strategy_error: ignore",
        ("c.yaml:7: on_strategy_error: expected one of stop, disable",),
    ),
    "number beyond arithmetic": (
        "fees: {maker: 1e9999999}",
        ("c.yaml:7: fees.maker: expected", "got 1E+9999999"),
    ),
    "finer than the engine": (
        "fees: {taker: 0.00000000012}",
        ("c.yaml:7: fees.taker: expected at most 9 decimals",),
    ),
    "tick of too many digits": (
        "instruments: {BTC/USD: {tick_size: 1e-40}}",
        ("c.yaml:7: instruments.BTC/USD.tick_size: expected a number of at most 30 digits",),
    ),
    "huge number": ("account: {balance: 1e99}", ("c.yaml:7: account.balance: expected", "got 1E+99")),
}

# whole files
WHOLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "empty": ("", ("c.yaml:1: the file is empty; expected keys such as `strategy:` and `data:`",)),
    "only comments": ("# nothing\n", ("c.yaml:1: the file is empty",)),
    "a list": ("- a\n- b\n", ("c.yaml:1: expected keys such as `strategy:`", "got a list")),
    "a text": ("just words\n", ("c.yaml:1: expected keys", "got the text 'just words'")),
    "no blank after the colon": ("name:base\n", ("c.yaml:1:", "a colon needs a blank after it")),
    "no strategy": (
        "data: btc.csv\n",
        ("c.yaml:1: strategies: this key is required", "strategy: {path: ../strategies/sma_cross.py}"),
    ),
    "no data": (
        "strategy: a.py\n",
        ("c.yaml:1: data: expected a block `data` (history, for `backtest`) or `feed` (live, for `paper`)",),
    ),
    "no exchange": (
        "strategy: a.py\nfeed: {exchanges: {}}\n",
        ("c.yaml:2: feed.exchanges: expected at least one exchange; got an empty mapping",),
    ),
    "a channel that there is not": (
        "strategy: a.py\nfeed: {exchanges: {binance: {symbols: [A/B], channels: [trade]}}}\n",
        ("feed.exchanges.binance.channels[0]: expected one of trades, depth, quotes", "did you mean 'trades'?"),
    ),
    "bars and trades of one symbol": (
        "strategy: a.py\nfeed: {exchanges: {binance: {symbols: [A/B], channels: [trades, ohlcv]}}}\n",
        ("`ohlcv` and trades, depth or quotes of one symbol cannot be matched together",),
    ),
    "no path": (
        "strategy:\n  params: {a: 1}\ndata: btc.csv\n",
        ("c.yaml:1: strategy.path: this key is required (its file, relative to the config file",),
    ),
    "only a misspelt strategy": (
        "stratgy: a.py\ndata: b.csv\n",
        ("c.yaml:1: stratgy: unknown key 'stratgy'; did you mean 'strategy'?",),
    ),
    "from after to": (
        "strategy: a.py\ndata:\n  source: b.csv\n  from: 2018-01-01\n  to: 2017-01-01\n",
        ("c.yaml:4: data.from: `from` (2018-01-01T00:00:00Z) must be before `to` (2017-01-01T00:00:00Z)",),
    ),
    "from equals to": (
        "strategy: a.py\ndata: {source: b.csv, from: 2018-01-01, to: 2018-01-01T00:00:00Z}\n",
        ("c.yaml:2: data.from: `from`",),
    ),
    "no date": (
        "strategy: a.py\ndata:\n  source: b.csv\n  from: 01/02/2017\n",
        ("c.yaml:4: data.from: expected a date or ISO time, e.g. 2017-01-31", "got '01/02/2017'"),
    ),
    "no such date": (
        "strategy: a.py\ndata:\n  source: b.csv\n  from: 2017-02-30\n",
        ("c.yaml:4: data.from: expected a date that exists, e.g. 2017-01-31", "got '2017-02-30'"),
    ),
    "no such zone": (
        "strategy: a.py\ndata: {source: b.csv, tz: America/NewYork}\n",
        (
            "c.yaml:2: data.tz: expected a time zone, e.g. UTC or America/New_York",
            "got 'America/NewYork' (did you mean 'America/New_York'?)",
        ),
    ),
    "unknown kind": (
        "strategy: a.py\ndata: {source: b.csv, kind: trade}\n",
        (
            "c.yaml:2: data.kind: expected one of bars, trades, quotes, depth, orders, funding, book, journal",
            "(did you mean 'trades'?)",
        ),
    ),
    "journal with a profile": (
        "strategy: a.py\ndata:\n  source: runs/x\n  kind: journal\n  profile: bitfinex\n",
        ("c.yaml:5: data.profile: a journal holds finished events; `profile` is only for `kind: bars`",),
    ),
    "unknown fault": (
        "strategy: a.py\ndata:\n  source: b.csv\n  on_error: {duplicates: drop}\n",
        ("c.yaml:4: data.on_error.duplicates: unknown key", "did you mean 'duplicate'?"),
    ),
    "action that does not fit": (
        "strategy: a.py\ndata: {source: b.csv, on_error: {gap: clip}}\n",
        ("c.yaml:2: data.on_error.gap: expected one of fail, report; got 'clip'",),
    ),
    "mapping key": (
        "strategy: a.py\ndata: {source: b.csv, mapping: {time: date}}\n",
        ("c.yaml:2: data.mapping.time: unknown key 'time'; did you mean 'timestamp'?",),
    ),
    "unknown symbol of a strategy": (
        "strategy: {path: a.py, symbols: [BTC/USD, ETHUSD]}\ndata: {source: b.csv, symbols: [BTC/USD, ETH/USD]}\n",
        (
            "c.yaml:1: strategy.symbols[1]: the symbol 'ETHUSD' is not among data.symbols; "
            "did you mean 'ETH/USD'? valid: BTC/USD, ETH/USD",
        ),
    ),
    "symbol twice": (
        "strategy: a.py\ndata: {source: b.csv, symbols: [A, A]}\n",
        ("c.yaml:2: data.symbols: the symbol 'A' stands twice",),
    ),
    "no symbols": (
        "strategy: a.py\ndata: {source: b.csv, symbols: []}\n",
        ("c.yaml:2: data.symbols: expected at least one symbol",),
    ),
    "empty lists": (
        "strategies: []\ndata: []\n",
        ("c.yaml:1: strategies: expected at least one", "c.yaml:2: data:"),
    ),
    "same file twice": (
        "strategies:\n  - path: a.py\n  - path: a.py\ndata: b.csv\n",
        ("c.yaml:3: strategies[1].path: the same file as strategies[0]; give each a `tag`",),
    ),
    "same tag twice": (
        "strategies:\n  - {path: a.py, tag: x}\n  - path: b.py\n    tag: x\ndata: b.csv\n",
        ("c.yaml:4: strategies[1].tag: the tag 'x' is already used by strategies[0]",),
    ),
    "tag equals a file's name": (
        "strategies:\n  - {path: a.py}\n  - {path: b.py, tag: a}\ndata: b.csv\n",
        ("c.yaml:3: strategies[1].path: the name 'a' is already that of strategies[0]",),
    ),
    "bars of two sources": (
        "strategy: a.py\ndata:\n  - {source: b.csv, timeframe: 5m}\n  - {source: c.csv, timeframe: 4m}\nbars: [10m]\n",
        ("c.yaml:5: bars[0]: '10m' is no multiple of the data's timeframe '4m'",),
    ),
    "detail not finer": (
        "strategy: a.py\ndata:\n  - {source: b.csv, timeframe: 1m}\n  - {source: c.csv, timeframe: 5m, detail: true}\n"
        "execution: {detail: 5m}\n",
        ("c.yaml:5: execution.detail: '5m' is not finer than the data ('1m')",),
    ),
    "detail source without detail": (
        "strategy: a.py\ndata:\n  - {source: b.csv, timeframe: 1h}\n  - {source: c.csv, timeframe: 1m, detail: true}\n",
        ("c.yaml:4: data[1].detail: a detail source is read only with `execution: {detail: 1m}`",),
    ),
    "only detail": (
        "strategy: a.py\ndata: {source: c.csv, timeframe: 1m, detail: true}\nexecution: {detail: 1m}\n",
        ("c.yaml:2: data: all sources are `detail: true`",),
    ),
    "session close": (
        "strategy: a.py\ndata: {source: c.csv, session: {close: 4pm}}\n",
        ("c.yaml:2: data.session.close: expected a time of day in quotes, e.g. \"16:00\"; got '4pm'",),
    ),
    "params of mappings": (
        "strategy: {path: a.py, params: {x: {y: 1}}}\ndata: c.csv\n",
        ("c.yaml:1: strategy.params.x: expected a number, text, true/false or a list of these",),
    ),
    "tab": (
        "strategy: a.py\ndata:\n\tsource: b.csv\n",
        ("c.yaml:3:", "not valid YAML", "replace the tab", "→source: b.csv", "^"),
    ),
    "unclosed bracket": (
        "strategy: a.py\nbars: [1h, 4h\ndata: b.csv\n",
        ("c.yaml:", "not valid YAML", "check that each { [ has its } ]", "^"),
    ),
    "comma in an expression": (
        "strategy:\n  rules:\n    long: {entry: max(open, sma(close, 10)) > 5, exit: rsi(close, 14) > 70}\n",
        ("c.yaml:3:27: not valid YAML: within { } the comma", 'in quotes: entry: "max(open, sma(close, 10)) > 5"\n     '),
    ),
    "bracket in an expression": (
        "strategy: {rules: {long: {entry: close[1] > 3}}}\n",
        ("c.yaml:1:39: not valid YAML:", "within { } put a text that contains [ ] { } or a comma in quotes"),
    ),
    "unclosed quote": (
        'strategy: "a.py\ndata: b.csv\n',
        ("c.yaml:", "not valid YAML", "a quote is not closed"),
    ),
    "two colons": (
        "strategy: a.py\ndata: source: b.csv\n",
        (
            "c.yaml:2:13: not valid YAML: mapping values are not allowed",
            "    data: source: b.csv\n                ^",
        ),
    ),
    "bad indentation": (
        "strategy:\n  path: a.py\n jit: true\ndata: b\n",
        ("c.yaml:3:", "check the indentation"),
    ),
    "undefined alias": ("strategy: a.py\ndata: *d\n", ("c.yaml:2:", "undefined alias", "needs an anchor")),
    "two documents": ("strategy: a.py\n---\ndata: b\n", ("c.yaml:2:", "expected one document")),
    "recursive alias": (
        "strategy: &a\n  path: x.py\n  params: *a\ndata: b\n",
        ("c.yaml:", "contains itself"),
    ),
    "list as a key": ("strategy: a.py\ndata: b.csv\n? [a, b]\n: 1\n", ("c.yaml:3: expected a plain key",)),
    "control character": ("strategy: a.py\ndata: b\x07.csv\n", ("c.yaml:2:", "control character")),
}


def failure(text: str, **given: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "c.yaml", **given)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_added_text(name: str) -> None:
    added, expected = CASES[name]
    message = failure(GOOD + added + "\n")
    assert [part for part in expected if part not in message] == [], message
    if name not in {"misspelt instrument"}:
        assert len(message.splitlines()) == 1, message  # one mistake is told once


@pytest.mark.parametrize("name", WHOLE)
def test_whole_text(name: str) -> None:
    text, expected = WHOLE[name]
    message = failure(text)
    assert [part for part in expected if part not in message] == [], message


def test_every_problem_is_told_in_the_order_of_the_file() -> None:
    text = """\
stratgy: {path: b.py}
strategy: {path: a.py, symbols: [BTCUSD], jit: yes}
data:
  source: x.csv
  timeframe: 1x
  symbols: [BTC/USD]
  from: 2018-01-01
  to: 2017-01-01
execution: {fill_at: nextopen, participation: 2}
account: {leverage: 2}
bars: [1h, 1h]
engine: {chunk: 0}
"""
    lines = failure(text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "2", "2", "5", "7", "9", "9", "10", "11", "12"]
    assert all(line.startswith("c.yaml:") for line in lines)


def test_no_echo_of_a_mistake() -> None:
    message = failure(
        GOOD + "account: {typ: margin, leverage: 2}\nsizing: {method: percent_equity, value: 1.5}\n"
    )
    assert message.count("\n") == 0
    assert "did you mean 'type'?" in message


def test_conflict_behind_a_missing_key() -> None:
    message = failure("strategy: {params: {a: 1}}\ndata: {timeframe: 1h}\nbars: 1m\n")
    assert "strategy.path: this key is required" in message
    assert "data.source: this key is required" in message
    assert "bars[0]: '1m' is finer than the data ('1h')" in message


def test_files(tmp_path) -> None:
    (tmp_path / "momentum.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'momentum\.yaml'"):
        load_config(tmp_path / "momentun.yaml")
    with pytest.raises(ConfigError, match=r"this is a folder; it holds momentum\.yaml"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match=r"no such file; the folder .* does not exist"):
        load_config(tmp_path / "none" / "x.yaml")
    (tmp_path / "latin.yaml").write_bytes(GOOD.encode() + b"description: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:7: expected UTF-8 text; byte 0xe9 is none"):
        load_config(tmp_path / "latin.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_config(tmp_path / "bom.yaml", env={}).config.name == "base"


def test_alias_bomb_stops() -> None:
    text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for above, below in zip("bcdefgh", "abcdefg", strict=True):
        text += f"{above}: &{above} [{','.join([f'*{below}'] * 10)}]\n"
    assert "too many or too deeply nested values" in failure(text)
