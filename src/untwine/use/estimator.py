"""A method as an estimator of scikit-learn: a table in, codes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import methods
from ..data import FactorDataset, Images
from ..methods import Method
from ..methods.abilities import Decodes
from ..training import fit

__all__ = ["CodeTransformer"]


class CodeTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learns codes of the rows of a table, as an estimator of scikit-learn.

    Columns are scaled to mean 0 and deviation 1 before they are learned from. Codes are the means
    of q(z|x), in double precision. Methods that learn from plain rows are taken; those that need
    pairs, groups or labels are trained with `untwine.fit`.

    Args:
        method: The name of one of `untwine.methods`, such as ``"BetaTCVAE"``, or a class.
        latent_dim: The number of code dimensions.
        settings: Of ``method.build``, by name, such as ``{"beta": 4.0}``.
        steps: Training steps.
        batch_size: Rows per step.
        validation: The share of rows that is held out, if any.
        patience: See `untwine.fit`; needs ``validation``.
        random_state: Of initial weights, batches and noise, as scikit-learn understands it.

    Attributes:
        method_: The trained method, in double precision.
        run_: What `untwine.fit` returned: its log, its spec.
        mean_: Of the columns.
        scale_: Their deviation, 1 where it is 0.

    Raises:
        ValueError: in ``fit``, for a method that there is not or that learns from something else.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 3)) @ np.ones((3, 6))
        >>> codes = CodeTransformer(latent_dim=2, steps=20, random_state=0).fit_transform(rows)
        >>> codes.shape
        (50, 2)
    """

    def __init__(
        self,
        method: str | type[Method] = "BetaVAE",
        latent_dim: int = 2,
        *,
        settings: Mapping[str, Any] | None = None,
        steps: int = 2000,
        batch_size: int = 64,
        validation: float | None = None,
        patience: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.method, self.latent_dim, self.settings = method, latent_dim, settings
        self.steps, self.batch_size = steps, batch_size
        self.validation, self.patience = validation, patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns codes of rows.

        Args:
            X: ``(N, K)`` numbers, also a table of pandas.
            y: Is not looked at.
        """
        x = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        cls = _method_of(self.method)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_ = x.mean(axis=0, dtype=np.float64)
        deviation = x.std(axis=0, dtype=np.float64)
        self.scale_ = np.where(deviation > 1e-12 * (1 + abs(self.mean_)), deviation, 1.0)
        data = FactorDataset.from_arrays(self._scaled(x).astype(np.float32))
        method = cls.build(data, self.latent_dim, seed=seed, **dict(self.settings or {}))
        every = max(1, self.steps // 20)
        self.run_ = fit(
            method,
            data,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=seed,
            validation=self.validation,
            validate_every=every,
            patience=self.patience,
            progress=False,
        )
        self.method_ = method.double().eval()
        self._n_features_out = self._codes(x[:1]).shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The codes of rows.

        Args:
            X: ``(N, K)``.

        Returns:
            ``(N, D)``, in the type of the rows.
        """
        check_is_fitted(self)
        x = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self._codes(x).astype(x.dtype, copy=False)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The rows that codes stand for: the mean of p(x|z), in the units of the table.

        Args:
            X: ``(N, D)`` codes.

        Raises:
            TypeError: for a method that does not decode.
        """
        check_is_fitted(self)
        if not isinstance(self.method_, Decodes):
            raise TypeError(f"method is a {type(self.method_).__name__}, which has no decode")
        with torch.no_grad():
            z = torch.as_tensor(np.asarray(X, dtype=np.float64))
            return self.method_.decode(z).mean.numpy() * self.scale_ + self.mean_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean_) / self.scale_

    def _codes(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            batch = Images(torch.from_numpy(self._scaled(x)))
            return self.method_.represent(batch).mean.numpy()


def _method_of(method: str | type[Method]) -> type[Method]:
    """A class of methods that learn from plain rows.

    Raises:
        ValueError: for others.
    """
    cls = getattr(methods, method, None) if isinstance(method, str) else method
    if not (isinstance(cls, type) and issubclass(cls, Method)):
        raise ValueError(f"method is {method!r}; expected a name of untwine.methods, or a class")
    if cls.supervision is not Images:
        raise ValueError(
            f"{cls.__name__} learns from {cls.supervision.__name__}, not from plain rows: train "
            "it with untwine.fit"
        )
    return cls
