"""The reference implementation's own procedure, step by step, for `metrics.py` and the oracles.

These functions follow disentanglement_lib's steps (Locatello et al. 2019), as the protocols of the
literature describe them: every point is drawn from a world by itself or in small batches, encoded
by a call of a representation function, and predictors are scikit-learn's, one fit after the other.
They are written to be obvious, not to be fast. A *world* stands for its ground-truth data and
trained encoder: it knows the code of every combination of factors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class World:
    """A full grid of factors with the code of each combination: data set and encoder in one."""

    def __init__(self, codes: np.ndarray, sizes: Sequence[int]) -> None:
        self.codes, self.sizes = codes, tuple(sizes)
        if len(codes) != np.prod(self.sizes):
            raise ValueError(f"{len(codes)} codes do not cover the grid {self.sizes}")

    def sample_factors(self, n: int, random: np.random.RandomState) -> np.ndarray:
        factors = np.zeros((n, len(self.sizes)), dtype=np.int64)
        for k, size in enumerate(self.sizes):
            factors[:, k] = random.randint(size, size=n)
        return factors

    def represent(self, factors: np.ndarray) -> np.ndarray:
        return self.codes[np.ravel_multi_index(tuple(factors.T), self.sizes)]

    def batches(
        self, n: int, random: np.random.RandomState, batch: int = 16
    ) -> tuple[np.ndarray, np.ndarray]:
        """n points, encoded in small batches that are stacked as they come."""
        codes = factors = None
        done = 0
        while done < n:
            part = min(batch, n - done)
            f = self.sample_factors(part, random)
            z = self.represent(f)
            factors = f if factors is None else np.vstack((factors, f))
            codes = z if codes is None else np.vstack((codes, z))
            done += part
        return codes, factors


def beta_vae_score(
    world: World, seed: int, train: int = 10_000, test: int = 5_000, batch: int = 64
) -> float:
    from sklearn.linear_model import LogisticRegression

    random = np.random.RandomState(seed)

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        features, labels = None, np.zeros(n, dtype=np.int64)
        for i in range(n):
            k = random.randint(len(world.sizes))
            one, two = world.sample_factors(batch, random), world.sample_factors(batch, random)
            two[:, k] = one[:, k]
            feature = np.mean(np.abs(world.represent(one) - world.represent(two)), axis=0)
            if features is None:
                features = np.zeros((n, len(feature)))
            features[i], labels[i] = feature, k
        return features, labels

    x, y = points(train)
    model = LogisticRegression(random_state=random).fit(x, y)
    x_test, y_test = points(test)
    return float(model.score(x_test, y_test))


def factor_vae_score(
    world: World,
    seed: int,
    train: int = 10_000,
    test: int = 5_000,
    batch: int = 64,
    variance_points: int = 10_000,
    threshold: float = 0.05,
) -> float:
    random = np.random.RandomState(seed)
    codes, _ = world.batches(variance_points, random, batch)
    variance = np.var(codes, axis=0, ddof=1)
    active = np.sqrt(variance) >= threshold
    if not active.any():
        return 0.0

    def votes(n: int) -> np.ndarray:
        counts = np.zeros((len(world.sizes), codes.shape[1]), dtype=np.int64)
        for _ in range(n):
            k = random.randint(len(world.sizes))
            factors = world.sample_factors(batch, random)
            factors[:, k] = factors[0, k]
            local = np.var(world.represent(factors), axis=0, ddof=1)
            winner = np.argmin(local[active] / variance[active])
            counts[k, np.flatnonzero(active)[winner]] += 1
        return counts

    learned = votes(train)
    majority = np.argmax(learned, axis=0)
    fresh = votes(test)
    return float(fresh[majority, np.arange(fresh.shape[1])].sum() / fresh.sum())


def discretize(codes: np.ndarray, bins: int = 20) -> np.ndarray:
    columns = [np.digitize(z, np.histogram(z, bins)[1][:-1]) for z in codes.T]
    return np.stack(columns, axis=1)


def mutual_informations(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    from sklearn.metrics import mutual_info_score

    return np.array([[mutual_info_score(v, z) for v in factors.T] for z in codes.T])


def mig(world: World, seed: int, points: int = 10_000) -> float:
    return mig_arrays(*world.batches(points, np.random.RandomState(seed)))


def mig_arrays(codes: np.ndarray, factors: np.ndarray) -> float:
    from sklearn.metrics import mutual_info_score

    information = np.sort(mutual_informations(discretize(codes), factors), axis=0)[::-1]
    entropy = np.array([mutual_info_score(v, v) for v in factors.T])
    return float(np.mean((information[0] - information[1]) / entropy))


def modularity(world: World, seed: int, points: int = 10_000) -> float:
    return modularity_arrays(*world.batches(points, np.random.RandomState(seed)))


def modularity_arrays(codes: np.ndarray, factors: np.ndarray) -> float:
    squared = mutual_informations(discretize(codes), factors) ** 2
    largest = squared.max(axis=1)
    rest = squared.sum(axis=1) - largest
    score = np.zeros(len(largest))
    live = largest > 0
    score[live] = 1 - rest[live] / (largest[live] * (factors.shape[1] - 1))
    return float(score.mean())


def explicitness(world: World, seed: int, train: int = 10_000, test: int = 5_000) -> float:
    random = np.random.RandomState(seed)
    return explicitness_arrays(*world.batches(train, random), *world.batches(test, random))


def explicitness_arrays(
    codes: np.ndarray, factors: np.ndarray, codes_test: np.ndarray, factors_test: np.ndarray
) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    center, scale = codes.mean(axis=0), codes.std(axis=0)
    scale[scale == 0] = 1.0
    areas = []
    for y, y_test in zip(factors.T, factors_test.T, strict=True):
        model = LogisticRegression().fit((codes - center) / scale, y)
        odds = model.predict_proba((codes_test - center) / scale)
        hot = (y_test[:, None] == model.classes_).astype(int)
        areas.append(roc_auc_score(hot, odds) if hot.shape[1] > 1 else 1.0)
    return float(np.mean(areas))


def dci(world: World, seed: int, train: int = 10_000, test: int = 5_000) -> dict[str, float]:
    random = np.random.RandomState(seed)
    return dci_arrays(*world.batches(train, random), *world.batches(test, random))


def dci_arrays(
    codes: np.ndarray, factors: np.ndarray, codes_test: np.ndarray, factors_test: np.ndarray
) -> dict[str, float]:
    from scipy.stats import entropy
    from sklearn.ensemble import GradientBoostingClassifier

    importance = np.zeros((codes.shape[1], factors.shape[1]))
    accuracy = []
    for k in range(factors.shape[1]):
        model = GradientBoostingClassifier().fit(codes, factors[:, k])
        importance[:, k] = np.abs(model.feature_importances_)
        accuracy.append(np.mean(model.predict(codes_test) == factors_test[:, k]))
    per_code = 1 - entropy(importance.T + 1e-11, base=importance.shape[1])
    per_factor = 1 - entropy(importance + 1e-11, base=importance.shape[0])
    code_mass = importance.sum(axis=1) / importance.sum()
    factor_mass = importance.sum(axis=0) / importance.sum()
    return {
        "disentanglement": float(np.sum(per_code * code_mass)),
        "completeness": float(np.sum(per_factor * factor_mass)),
        "informativeness": float(np.mean(accuracy)),
    }


def sap(world: World, seed: int, train: int = 10_000, test: int = 5_000) -> float:
    random = np.random.RandomState(seed)
    return sap_arrays(*world.batches(train, random), *world.batches(test, random))


def sap_arrays(
    codes: np.ndarray, factors: np.ndarray, codes_test: np.ndarray, factors_test: np.ndarray
) -> float:
    from sklearn.svm import LinearSVC

    accuracy = np.zeros((codes.shape[1], factors.shape[1]))
    for j in range(codes.shape[1]):
        for k in range(factors.shape[1]):
            model = LinearSVC(C=0.01, class_weight="balanced")
            model.fit(codes[:, [j]], factors[:, k])
            accuracy[j, k] = np.mean(model.predict(codes_test[:, [j]]) == factors_test[:, k])
    ordered = np.sort(accuracy, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


def irs(world: World, seed: int, points: int = 10_000) -> float:
    return irs_arrays(*world.batches(points, np.random.RandomState(seed)))


def irs_arrays(codes: np.ndarray, factors: np.ndarray, quantile: float = 0.99) -> float:
    codes = codes[:, codes.std(axis=0) > 0]
    if codes.shape[1] == 0:
        return 0.0
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    deviation = np.zeros((codes.shape[1], factors.shape[1]))
    for k, v in enumerate(discretize(factors).T):  # a factor of 32 values is held in 20 bins
        values = np.unique(v)
        for value in values:
            held = codes[v == value]
            distance = np.abs(held - held.mean(axis=0))
            deviation[:, k] += np.percentile(distance, quantile * 100, axis=0)
        deviation[:, k] /= len(values)
    per_code = (1 - deviation / largest[:, None]).max(axis=1)
    return float(np.average(per_code, weights=largest))
