"""The estimator of scikit-learn: its own checks, pipelines, units."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from untwine.methods import BetaTCVAE
from untwine.use import CodeTransformer

ROWS = np.random.default_rng(0).normal(size=(80, 3)) @ np.random.default_rng(1).normal(size=(3, 6))


def test_it_passes_scikit_learns_own_checks():
    results = check_estimator(CodeTransformer(steps=1, random_state=0), on_skip=None)
    skipped = [r["check_name"] for r in results if r["status"] != "passed"]
    assert set(skipped) <= {"check_array_api_input"}  # of arrays of other libraries


def test_it_stands_in_pipelines_and_searches():
    labels = (ROWS[:, 0] > 0).astype(int)
    codes = CodeTransformer(latent_dim=3, steps=5, random_state=0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), codes, LogisticRegression()),
        {"codetransformer__latent_dim": [1, 2]},
        cv=2,
    )
    search.fit(ROWS, labels)
    assert search.best_params_["codetransformer__latent_dim"] in (1, 2)
    assert list(clone(codes).get_params()) == list(codes.get_params())


def test_codes_are_those_of_the_method_in_the_units_of_the_table():
    """A linear table of three directions: after training, rows come back from their codes."""
    rows = 100 + 20 * ROWS
    rows[:, 3] = 7.0  # a column that never varies
    settings = {"beta": 0.01}
    steps = {"steps": 200, "settings": settings, "random_state": 0}
    codes = CodeTransformer("BetaVAE", 3, **steps).fit(rows)
    z = codes.transform(rows)
    back = codes.inverse_transform(z)
    varying = [0, 1, 2, 4, 5]
    error = ((back - rows)[:, varying] ** 2).sum() / ((rows - rows.mean(0)) ** 2).sum()
    assert error < 0.7  # of guessing the mean
    assert np.array_equal(z, CodeTransformer("BetaVAE", 3, **steps).fit_transform(rows))
    assert list(codes.get_feature_names_out()) == [f"codetransformer{j}" for j in range(3)]
    assert codes.scale_[3] == 1.0


def test_classes_settings_and_held_out_rows():
    codes = CodeTransformer(BetaTCVAE, 2, steps=20, settings={"beta": 3.0}, validation=0.2)
    codes.fit(ROWS.astype(np.float32))
    assert codes.method_.penalty.beta == 3.0
    assert len(codes.run_.held_out) == 16
    assert codes.transform(ROWS.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("BetaVEA", "method is 'BetaVEA'; expected a name of untwine.methods"),
        ("AdaGVAE", "AdaGVAE learns from Pairs, not from plain rows"),
        (dict, "expected a name of untwine.methods, or a class"),
    ],
)
def test_methods_of_other_data_are_refused(method, message):
    with pytest.raises(ValueError, match=message):
        CodeTransformer(method).fit(ROWS)
