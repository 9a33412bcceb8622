"""What stands behind the figures: the audit of the ledger, versions, hashes, settings, sources."""

from __future__ import annotations

from html import escape

from tradectl.report.html import Section, details, pairs, table
from tradectl.report.model import Report
from tradectl.report.text import count, duration, money

__all__ = ["audit", "lock"]

ATOMS, PICO = 10**8, 10**12
LEDGER = (("Initial", "initial"), ("Balance", "balance"), ("Positions' value", "value"), ("Realised", "realised"),
          ("Fees", "fees"), ("Funding", "funding"))  # fmt: skip
STAGES = (("Loading data", "load_s"), ("Compiling", "compile_s"), ("Folding", "run_s"), ("Writing", "write_s"))


def audit(report: Report) -> Section:
    """Return the ledger of every currency and what the second audit found."""
    told = report.summary
    found = told.get("audit") or {}
    made = Section("audit", "Audit")
    balances = "it balances to the last atom" if found.get("balanced") else "it does not balance"
    made.lead = (
        f"The account was rebuilt from the {count(found.get('fills'))} fills on disk by other code than the run's own, "
        f"in integers without tolerance: {balances}."
    )
    rows = [
        (one["currency"], *(money(one.get(f"{key}_atoms", 0) / ATOMS) for _, key in LEDGER), _rate(one["rate_pico"]))
        for one in told.get("balances") or ()
    ]
    made.add(table(("Currency", *(name for name, _ in LEDGER), "Rate"), rows))
    return made


def lock(report: Report) -> Section:
    """Return what it takes to make the same run again."""
    told, fixed = report.summary, report.lock
    made = Section("lock", "How it was made")
    made.lead = f"tradectl verify {report.data.folder.name} makes the run again and compares every row."
    versions = [(name.replace("_", " "), value) for name, value in fixed["versions"].items()]
    hashes = [
        ("State at the end", told.get("state_hash")), ("Config", told.get("config_hash")),
        ("Data", told.get("data_hash") or "the session's journal"), ("Seed", fixed.get("seed")),
        ("Made", str(fixed.get("created", "")).replace("T", " ")[:19]), ("Events", count(told.get("events"))),
        ("Events a second", count(told.get("events_per_s")) if told.get("events_per_s") else ""),
    ]  # fmt: skip
    timing = told.get("timing") or {}
    hashes += [(name, duration(timing[key])) for name, key in STAGES if timing.get(key) is not None]
    made.side_by_side(pairs(hashes, "Run"), pairs(versions, "Versions"))
    made.add(details("Settings (run.yaml)", f"<pre>{escape(_read(report, 'run.yaml'))}</pre>"))
    for place in fixed["sources"]:
        made.add(details(place, f"<pre>{escape(_read(report, place))}</pre>"))
    known = fixed["data"].get("files", {})
    files = [(name, f"{about['size']:,} bytes", about["blake2b"]) for name, about in known.items()]
    made.add(details("Files of data", table(("File", "Size", "BLAKE2b"), files, left=(0, 2))))
    return made


def _rate(pico: int) -> str:
    return f"{pico / PICO:,.8g}"


def _read(report: Report, name: str) -> str:
    path = report.data.folder / name
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else "missing"
