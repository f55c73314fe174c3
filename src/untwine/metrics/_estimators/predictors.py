r"""Predictors by name: boosting, forests, Lasso and logistic regression."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .logistic import SOLVER, Logistic, fit_logistic

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["Predictor", "describe_predictor", "fit_predictor", "parallel"]


@dataclass(frozen=True)
class Predictor:
    """A fitted predictor.

    Attributes:
        predict: Codes ``(N, D)`` to classes ``(N,)``, or to real values.
        importance: How much each dimension matters to it, ``(D,)``, not negative.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    importance: np.ndarray


def fit_predictor(
    name: str,
    z: np.ndarray,
    y: np.ndarray,
    classes: int | None,
    *,
    seed: int = 0,
    threads: int = 1,
    **settings: Any,
) -> Predictor:
    """Fits a predictor by name.

    Args:
        name: ``"boosting"``, ``"fast"``, ``"forest"``, ``"lasso"``, ``"logistic"`` or
            ``"logistic_cv"``.
        z: Codes, ``(N, D)``.
        y: Classes ``0 .. classes - 1``, or real values, ``(N,)``.
        classes: How many classes; ``None`` for real values.
        seed: Of the predictor.
        threads: How many threads it may use.
        settings: Passed on to the predictor's own function.
    """
    if name not in FITS:
        raise ValueError(f"predictor is {name!r}; expected one of {', '.join(map(repr, FITS))}")
    if classes is None and name in ("logistic", "logistic_cv"):
        raise ValueError(f"predictor {name!r} takes discrete factors only; use 'fast' or 'lasso'")
    if classes is not None and name == "lasso":
        raise ValueError("predictor 'lasso' is a regression: it takes factors as numbers")
    present = None
    if classes is not None:
        present, y = np.unique(y, return_inverse=True)
        if len(present) == 1:
            only = present[0]
            return Predictor(lambda new: np.full(len(new), only), np.zeros(z.shape[1]))
        classes = len(present)
    model = FITS[name](z, y, classes, seed=seed, threads=threads, **settings)
    if present is None:
        return model
    return Predictor(lambda new: present[model.predict(new)], model.importance)


def describe_predictor(name: str, **settings: Any) -> dict[str, Any]:
    """What a protocol says of a predictor: its name, library, version and settings."""
    import lightgbm
    import sklearn

    library = {
        "boosting": f"scikit-learn {sklearn.__version__} GradientBoosting, 100 trees per class, "
        "depth 3, rate 0.1",
        "fast": f"LightGBM {lightgbm.__version__}, "
        + ", ".join(f"{key} {value}" for key, value in FAST.items()),
        "forest": f"scikit-learn {sklearn.__version__} RandomForest, 10 trees, depth by validation",
        "lasso": f"scikit-learn {sklearn.__version__} Lasso",
        "logistic": SOLVER + ", C = 1",
        "logistic_cv": SOLVER + ", C of 10 values from 1e-4 to 1e4 by 5-fold cross-validation",
    }
    return {"predictor": name, "library": library[name], **settings}


def parallel(tasks: list[Callable[[], Any]], jobs: int | None = None) -> list[Any]:
    """Runs tasks in threads, one per core by default: trees grow outside of Python's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = min(jobs or cores or 1, len(tasks))
    if workers == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def _boosting(
    z: np.ndarray, y: np.ndarray, classes: int | None, *, seed: int, threads: int
) -> Predictor:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    kind = GradientBoostingRegressor if classes is None else GradientBoostingClassifier
    model = kind(random_state=seed).fit(z, y)
    return Predictor(model.predict, np.abs(model.feature_importances_))


#: Settings of the fast predictor, chosen on a set of codes for its agreement with "boosting".
#: Without a largest step a nearly certain leaf of few points grows without bound, and its gain
#: with it: one code of 2,000 points fell from 0.84 to 0.55.
FAST: dict[str, Any] = {
    "rounds": 30,
    "learning_rate": 0.4,
    "max_depth": 3,
    "max_bin": 255,
    "min_data_in_leaf": 1,
    "min_sum_hessian_in_leaf": 0.2,
    "max_delta_step": 8.0,
}


def _fast(
    z: np.ndarray, y: np.ndarray, classes: int | None, *, seed: int, threads: int
) -> Predictor:
    import lightgbm

    parameters = {
        **FAST,
        "objective": "regression" if classes is None else "multiclass",
        "num_leaves": 2 ** FAST["max_depth"],
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "force_col_wise": True,
        "num_threads": threads,
        "seed": seed,
        "verbosity": -1,
    }
    rounds = parameters.pop("rounds")
    if classes is not None:
        parameters["num_class"] = classes
    data = lightgbm.Dataset(z, label=y, params=parameters)
    model = lightgbm.train(parameters, data, rounds, keep_training_booster=True)
    trees: list[np.ndarray] = []

    def keep(output: np.ndarray, _: Any) -> tuple[str, float, bool]:
        trees.append(output)
        return "output", 0.0, True

    def predict(new: np.ndarray) -> np.ndarray:
        if new is z:  # training has already scored these rows; to walk the trees again is slow
            trees.clear()
            model.eval_train(keep)
            output = trees[0]
        else:
            output = np.asarray(model.predict(new, num_threads=threads))
        return output if classes is None else output.argmax(axis=1)

    importance = model.feature_importance("gain")
    ties = _tied(z)
    if ties:
        importance = _spread_over_ties(model, ties, z.shape[1], seed)
    return Predictor(predict, importance)


def _tied(z: np.ndarray) -> list[list[int]]:
    """Columns that order the rows alike, or in reverse: a split on one is a split on another."""
    groups: dict[bytes, list[int]] = {}
    for j, column in enumerate(z.T):
        ranks = np.unique(column, return_inverse=True)[1]
        reverse = ranks.max() - ranks
        key = min(ranks.tobytes(), reverse.tobytes())
        groups.setdefault(hashlib.sha256(key).digest(), []).append(j)
    return [group for group in groups.values() if len(group) > 1]


def _spread_over_ties(model: Booster, ties: list[list[int]], width: int, seed: int) -> np.ndarray:
    """Gains by column, those of each split given to one of the columns that it ties, at random.

    LightGBM takes the first of several equal splits, always; scikit-learn's trees look at the
    columns in an order that is random at each node, and take any.
    """
    rng = np.random.default_rng(seed)
    group_of = {column: group for group in ties for column in group}
    gains = np.zeros(width)
    nodes = [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]
    while nodes:
        node = nodes.pop()
        if "split_feature" in node:
            column = node["split_feature"]
            group = group_of.get(column)
            gains[column if group is None else rng.choice(group)] += node["split_gain"]
            nodes += [node["left_child"], node["right_child"]]
    return gains


def _forest(
    z: np.ndarray,
    y: np.ndarray,
    classes: int | None,
    *,
    seed: int,
    threads: int,
    depths: tuple[int | None, ...] = (8, 16, 32),
) -> Predictor:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if classes is None else RandomForestClassifier
    order = np.random.default_rng(seed).permutation(len(z))
    cut = max(1, len(z) // 5)
    validation, train = order[:cut], order[cut:]

    def validate(depth: int | None) -> float:
        model = kind(10, max_depth=depth, random_state=seed).fit(z[train], y[train])
        return float(model.score(z[validation], y[validation]))

    best = max(depths, key=validate)
    model = kind(10, max_depth=best, random_state=seed).fit(z, y)
    return Predictor(model.predict, model.feature_importances_)


def _lasso(
    z: np.ndarray,
    y: np.ndarray,
    classes: int | None,
    *,
    seed: int,
    threads: int,
    alpha: float | str = 0.02,
    scaling: str = "standard",
) -> Predictor:
    from sklearn.linear_model import Lasso
    from sklearn.model_selection import cross_val_score

    low, width = _scaling(z, scaling)
    zero, unit = _scaling(y[:, None], scaling)
    inputs, outputs = (z - low) / width, ((y[:, None] - zero) / unit)[:, 0]
    with warnings.catch_warnings():
        # A path that needs more sweeps is stopped where the reference stops it.
        warnings.filterwarnings("ignore", message="Objective did not converge")
        if alpha == "cv":
            alpha = max(
                (0.0001, 0.001, 0.01, 0.1, 0.2, 0.4, 0.8, 1.0),
                key=lambda a: cross_val_score(
                    Lasso(alpha=a, max_iter=5000),
                    inputs,
                    outputs,
                    cv=10,
                    scoring="neg_mean_squared_error",
                ).mean(),
            )
        model = Lasso(alpha=float(alpha)).fit(inputs, outputs)
    return Predictor(
        lambda new: model.predict((new - low) / width) * unit[0] + zero[0], np.abs(model.coef_)
    )


def _scaling(z: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    z = z.astype(np.float64)
    spread = np.ptp(z, axis=0)
    low = z.mean(axis=0) if how == "standard" else z.min(axis=0)
    width = z.std(axis=0) if how == "standard" else spread
    return low, np.where(spread > 0, width, np.inf)


def _logistic(
    z: np.ndarray, y: np.ndarray, classes: int | None, *, seed: int, threads: int
) -> Predictor:
    assert classes is not None
    low, width = _scaling(z, "standard")
    model = fit_logistic((z - low) / width, y, classes)
    return _linear(model, low, width)


def _logistic_cv(
    z: np.ndarray, y: np.ndarray, classes: int | None, *, seed: int, threads: int
) -> Predictor:
    assert classes is not None
    n, folds = len(z), min(5, len(z))
    strengths = np.logspace(-4, 4, 10)
    accuracy = np.zeros(len(strengths))
    for fold in np.array_split(np.arange(n), folds):
        train = np.delete(np.arange(n), fold)
        model = None
        for i, c in enumerate(strengths):
            model = fit_logistic(z[train], y[train], classes, c=c, start=model)
            accuracy[i] += (model.predict(z[fold]) == y[fold]).mean()
    model = fit_logistic(z, y, classes, c=strengths[accuracy.argmax()])
    return _linear(model, np.zeros(z.shape[1]), np.ones(z.shape[1]))


def _linear(model: Logistic, low: np.ndarray, width: np.ndarray) -> Predictor:
    weight = model.weight - model.weight.mean(axis=1, keepdims=True)
    return Predictor(lambda new: model.predict((new - low) / width), np.abs(weight).mean(axis=1))


FITS: dict[str, Callable[..., Predictor]] = {
    "boosting": _boosting,
    "fast": _fast,
    "forest": _forest,
    "lasso": _lasso,
    "logistic": _logistic,
    "logistic_cv": _logistic_cv,
}
