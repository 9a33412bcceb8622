"""A logistic regression that is fitted again and again on the bars behind it."""

from tradectl.strategy import Array, Float, Float64, Int, Int64, Line, exp, strategy

FEATURES = 6
LAGS = (1, 2, 4, 8, 16, 32)  # bars
PAST = 33  # closes that the longest lag needs


@strategy
class SklearnWalkForward:
    """Hold a long position while a classifier of scikit-learn gives a rise over the next `ahead` bars good odds.

    Features are the returns over 1 to 32 bars, each in its own deviations; the target is whether the close rose in
    the `ahead` bars after them. Every `every` bars the model is fitted anew on the last `window` examples
    whose outcome is known by then, never on later ones; what it has learnt stands in the state as numbers. For
    `jit: false`, with the extra `sklearn`. Sources: walk-forward, R. Pardo, The Evaluation and Optimization of
    Trading Strategies (2008); the solver, R.-E. Fan and others, LIBLINEAR, J. of Machine Learning Research 9 (2008).
    """

    class Params:
        window = Int(500, low=20, high=2000, help="examples that a fit sees")
        every = Int(96, low=1, high=100_000, help="bars between two fits")
        ahead = Int(4, low=1, high=100, help="bars that an example looks ahead")
        enter = Float(0.55, low=0.5, high=1.0, help="probability of a rise at which to buy")
        leave = Float(0.48, low=0.0, high=1.0, help="probability below which to sell")
        penalty = Float(0.1, low=0.0001, high=1000.0, help="inverse strength of the regularisation (C)")
        seed = Int(1, low=0, high=2_147_483_647, help="seed of the solver")

    class State:
        bars = Int64()
        closes = Array(Float64, 256)  # ring of the last closes
        features = Array(Float64, 2200, FEATURES)  # ring of examples, by bar
        rose = Array(Float64, 2200)  # 1 rose, 0 did not
        fits = Int64()
        means = Array(Float64, FEATURES)
        scales = Array(Float64, FEATURES)
        weights = Array(Float64, FEATURES)
        bias = Float64()

    class Plots:
        probability = Line(panel="P(rise)")

    def on_start(ctx, p, s):
        classifier(p)  # a library that is not there is told now

    def on_bar(ctx, p, s):
        learn(ctx, p, s)
        if s.fits == 0 or not ctx.is_tradable:
            return
        probability = predict(s)
        ctx.plot("probability", probability)
        if ctx.open_orders > 0:
            return
        if ctx.position_lots == 0 and probability >= p.enter:
            ctx.buy()
        elif ctx.position_lots > 0 and probability < p.leave:
            ctx.close_position()


def classifier(p):
    """Return an untrained classifier; the library is loaded only here."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ImportError("this strategy needs scikit-learn: pip install 'tradectl[sklearn]'") from error
    return LogisticRegression(C=p.penalty, solver="liblinear", random_state=p.seed)


def learn(ctx, p, s):
    """Take in a close; note what became of the example `ahead` bars ago; fit where it is time."""
    bar = s.bars
    s.closes[bar % len(s.closes)] = ctx.close
    s.bars += 1
    if bar >= PAST:
        for k in range(FEATURES):
            s.features[bar % len(s.rose)][k] = ctx.close / close_before(s, LAGS[k]) - 1.0
    known = bar - p.ahead - PAST + 1  # examples with an outcome
    if known > 0:
        s.rose[(bar - p.ahead) % len(s.rose)] = 1.0 if ctx.close > close_before(s, p.ahead) else 0.0
    if known >= p.window and (known - p.window) % p.every == 0:
        fit(p, s, bar - p.ahead)


def close_before(s, bars):
    """Return the close so many bars before the last one."""
    return s.closes[(s.bars - 1 - bars) % len(s.closes)]


def fit(p, s, newest):
    """Fit the model on the `window` examples up to bar `newest`; write it into the state."""
    import numpy as np

    places = [bar % len(s.rose) for bar in range(newest - p.window + 1, newest + 1)]
    examples = np.array([[s.features[at][k] for k in range(FEATURES)] for at in places])
    rose = np.array([s.rose[at] for at in places])
    if rose.min() == rose.max():
        return  # nothing to tell apart
    means, scales = examples.mean(axis=0), examples.std(axis=0)
    scales[scales == 0.0] = 1.0
    model = classifier(p).fit((examples - means) / scales, rose)
    for k in range(FEATURES):
        s.means[k] = means[k]
        s.scales[k] = scales[k]
        s.weights[k] = model.coef_[0][k]
    s.bias = model.intercept_[0]
    s.fits += 1


def predict(s):
    """Return the probability of a rise after the last bar."""
    at = (s.bars - 1) % len(s.rose)
    total = s.bias
    for k in range(FEATURES):
        total += s.weights[k] * (s.features[at][k] - s.means[k]) / s.scales[k]
    return 1.0 / (1.0 + exp(-total))
