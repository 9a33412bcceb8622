"""ccxt with only the exchanges in use, and every one of its calls sent to a local server where one is named."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from tradectl.errors import ConfigError, FeedError, nearest

__all__ = ["exchange_ids", "new_exchange", "redirect"]


class LazyPackage(ModuleType):
    """A package whose `__init__` is left out: names come from its base modules, exchanges from their own files.

    ccxt's own `__init__` imports over a hundred exchanges: 0.6 s and some 55 MB that a feed of two has no use for.
    """

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.__path__ = [str(folder)]
        self.__file__ = str(folder / "__init__.py")
        self.__spec__ = importlib.util.spec_from_file_location(
            name, self.__file__, submodule_search_locations=[str(folder)]
        )

    def __setattr__(self, name: str, value: Any) -> None:
        # An exchange's module is set here once it is imported; what is meant by its name is its class.
        if isinstance(value, ModuleType) and isinstance(getattr(value, name, None), type):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for inner in ("base.errors", "base.exchange", "base.precise", "base.decimal_to_precision"):
            module = _module(f"{self.__name__}.{inner}") or _module(f"ccxt.{inner}")
            if module is not None and hasattr(module, name):
                setattr(self, name, getattr(module, name))
                return getattr(module, name)
        module = _module(f"{self.__name__}.{name}")
        if module is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(module, name, module)


def _module(name: str) -> ModuleType | None:
    """Return a module, or None where there is none of this name."""
    if name in sys.modules:
        return sys.modules[name]
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return None if found is None else importlib.import_module(name)


def _folder() -> Path:
    """Return where ccxt is installed, and stand in for its packages where nobody has imported it yet."""
    if "ccxt" not in sys.modules:
        found = importlib.util.find_spec("ccxt")
        if found is None or found.origin is None:
            raise FeedError("ccxt is not installed", hint="pip install ccxt")
        folder = Path(found.origin).parent
        for name in ("", "async_support", "pro"):
            package = f"ccxt.{name}".rstrip(".")
            sys.modules[package] = LazyPackage(package, folder / name)
    return Path(str(sys.modules["ccxt"].__file__)).parent


def exchange_ids() -> list[str]:
    """Return the ids of all exchanges that can be watched, sorted."""
    return sorted(path.stem for path in (_folder() / "pro").glob("[a-z]*.py"))


def new_exchange(name: str, endpoint: str | None = None, options: Mapping[str, Any] | None = None) -> Any:
    """Return an unopened ccxt.pro exchange, its numbers kept as text; ConfigError for what ccxt does not know."""
    folder = _folder()
    if not (folder / "pro" / f"{name}.py").is_file():
        raise ConfigError(f"no exchange {name!r} that ccxt can watch", hint=nearest(name, exchange_ids()))
    kind = getattr(importlib.import_module(f"ccxt.pro.{name}"), name)
    unknown = sorted(key for key in options or {} if not hasattr(kind, key))
    if unknown:
        known = [key for key in dir(kind) if not key.startswith("_") and not callable(getattr(kind, key))]
        raise ConfigError(
            f"{name}: ccxt's exchange has no setting {unknown[0]!r} (options)", hint=nearest(unknown[0], known)
        )
    made = kind({"enableRateLimit": True, "newUpdates": True, **dict(options or {})})
    made.number = str  # markets and trades keep the venue's digits
    made.options["tradesLimit"] = 100_000
    if endpoint is not None:
        redirect(made, endpoint)
    return made


def redirect(exchange: Any, endpoint: str) -> None:
    """Send every REST and WebSocket call of an exchange to `<endpoint>/<original host>/<path>`."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"endpoint {endpoint!r}: expected http://HOST:PORT")
    exchange.urls["api"] = _redirected(exchange.urls["api"], exchange, f"{parts.netloc}{parts.path.rstrip('/')}")
    exchange.verify = False
    exchange.aiohttp_trust_env = False


def _redirected(value: Any, exchange: Any, place: str) -> Any:
    if isinstance(value, dict):
        return {key: _redirected(inner, exchange, place) for key, inner in value.items()}
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.replace("{hostname}", str(getattr(exchange, "hostname", ""))).partition("://")
    return f"{'ws' if scheme.startswith('ws') else 'http'}://{place}/{rest}"
