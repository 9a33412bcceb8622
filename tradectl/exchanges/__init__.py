"""Live markets: feeds over ccxt as events, instrument specifications, history over REST, the sandbox exchange."""
