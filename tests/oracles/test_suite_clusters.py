"""Metrics of a label and a batch, as `evaluate` computes them together."""

import numpy as np
import pandas as pd
import pytest

import untwine as ut
from untwine import metrics
from untwine.evaluation.read import read
from untwine.metrics._estimators import clusters, graph
from untwine.metrics._estimators.sharing import sharing

N = 400
RNG = np.random.default_rng(3)
LABEL, BATCH = RNG.integers(0, 4, N), RNG.integers(0, 2, N)
FACTORS = np.stack([LABEL, RNG.integers(0, 5, N), BATCH], axis=1)
Z = RNG.normal(size=(N, 3)) + 2 * np.eye(4)[LABEL][:, :3]
NAMES = ("kind", "size", "donor")


@pytest.fixture(scope="module")
def scores():
    return ut.evaluate(Z, FACTORS, "all", names=NAMES, label="kind", batch=2, exact=False)


OF_BOTH = {"isolated_labels_asw": {"batch": BATCH}, "isolated_labels_f1": {"batch": BATCH}}
OF_LABEL = ("ari", "nmi", "ami", "cluster_accuracy", "silhouette", "graph_connectivity")


@pytest.mark.parametrize("name", [*OF_LABEL, *OF_BOTH])
def test_the_label_is_the_factor_of_clusters(scores, name):
    alone = getattr(metrics, name)(Z, LABEL, **OF_BOTH.get(name, {}))
    assert scores[name].value == pytest.approx(alone.value, abs=1e-12)
    np.testing.assert_array_equal(np.isnan(scores[name].parts["per_factor"]), [0, 1, 1])


def test_the_batch_is_mixed_within_the_label(scores):
    alone = metrics.batch_silhouette(Z, BATCH, within=LABEL)
    assert scores["batch_silhouette"].value == pytest.approx(alone.value, abs=1e-12)
    mixed = metrics.kbet(Z, BATCH, within=LABEL)
    assert scores["kbet"].value == pytest.approx(mixed.value, abs=1e-12)
    assert scores["batch_silhouette"].protocol["within"] == "each label"
    assert scores["lisi"].parts["per_factor"][[0, 2]] == pytest.approx(
        [metrics.lisi(Z, LABEL).value, metrics.lisi(Z, BATCH).value]
    )


def test_rows_have_values_of_their_own(scores):
    frame = scores.per_row()
    assert frame.shape[0] == N
    rows = metrics.silhouette(Z, LABEL).parts["per_row"][:, 0]
    np.testing.assert_allclose(frame["silhouette", "kind"], rows)
    assert frame["lisi", "donor"].mean() == pytest.approx(metrics.lisi(Z, BATCH).value)
    drawn = ut.evaluate(Z, FACTORS, ["silhouette"], names=NAMES, label=0, points=150)
    column = drawn.per_row()["silhouette", "kind"]
    assert len(column) == N
    assert column.notna().sum() == 150
    assert "per_row" not in ut.evaluation.Evaluation.from_json(scores.to_json())["lisi"].parts


def test_rows_of_unknown_label_are_left_out():
    label = np.where(np.arange(N) % 5 == 0, -1, LABEL)
    known = label >= 0
    for name in ("silhouette", "lisi", "nmi"):
        score = getattr(metrics, name)(Z, label)
        assert score.value == pytest.approx(float(getattr(metrics, name)(Z[known], label[known])))
    rows = metrics.lisi(Z, label).parts["per_row"][:, 0]
    np.testing.assert_array_equal(np.isnan(rows), ~known)


def test_an_evaluation_searches_and_clusters_once(monkeypatch):
    from sklearn.cluster import KMeans
    from sklearn.neighbors import NearestNeighbors

    calls = {"cluster": 0, "search": 0}
    fit, search = KMeans.fit_predict, NearestNeighbors.kneighbors

    def counted_fit(self, *args):
        calls["cluster"] += 1
        return fit(self, *args)

    def counted_search(self, *args, **options):
        calls["search"] += 1
        return search(self, *args, **options)

    monkeypatch.setattr(KMeans, "fit_predict", counted_fit)
    monkeypatch.setattr(NearestNeighbors, "kneighbors", counted_search)
    near = ["lisi", "graph_connectivity", "isolated_labels_f1"]
    names = ["ari", "nmi", "ami", "v_measure", "cluster_accuracy", "silhouette", *near]
    ut.evaluate(Z, FACTORS, names, label=0, batch=2)
    assert calls == {"cluster": 1, "search": 1}
    ut.evaluate(Z, FACTORS, ["ari", "nmi", "lisi"], label=0, batch=2, confidence=0.9, repeats=2)
    assert calls == {"cluster": 4, "search": 4}  # half-samples share theirs, too


def test_results_are_kept_by_content_and_only_within():
    with sharing():
        one = clusters.k_means(Z, 3, 1, 0)
        assert clusters.k_means(Z.copy(), 3, 1, 0) is one
        assert clusters.k_means(Z + 1, 3, 1, 0) is not one
        assert clusters.k_means(Z, 4, 1, 0) is not one
    assert clusters.k_means(Z, 3, 1, 0) is not one


def test_neighbors_are_those_of_brute_force():
    z = np.concatenate([RNG.normal(size=(150, 4)) + 1e6, np.full((100, 4), 1e6)])  # 100 in a place
    distance, row = graph.nearest(z, 20)
    exact = np.linalg.norm(z[:, None] - z[None], axis=2)
    np.fill_diagonal(exact, np.inf)
    np.testing.assert_allclose(distance, np.sort(exact, axis=1)[:, :20], atol=1e-12)
    assert (row != np.arange(250)[:, None]).all()
    np.testing.assert_allclose(np.take_along_axis(exact, row, 1), distance)
    assert (row[240] == np.arange(150, 170)).all()  # of equal distances the first


def test_the_default_suite_has_them_where_the_label_is_named():
    def names(**roles):
        return set(ut.evaluate(Z, FACTORS, "default", **roles).scores)

    plain, labelled, both = names(), names(label=0), names(label=0, batch=2)
    assert not {"ari", "silhouette", "lisi", "batch_silhouette"} & plain
    assert {"ari", "nmi", "cluster_accuracy", "silhouette", "lisi"} <= labelled
    assert "batch_silhouette" in both - labelled
    skipped = ut.evaluate(Z, FACTORS, ["mig", "ari", "batch_silhouette"]).skipped
    assert "give label=" in skipped["ari"]
    assert "give batch=" in skipped["batch_silhouette"]


def test_clusters_are_compared_as_scikit_learn_does():
    from sklearn.metrics import adjusted_rand_score

    labels_pred = np.where(RNG.random(N) < 0.7, LABEL, RNG.integers(0, 4, N))
    expected = adjusted_rand_score(LABEL, labels_pred)
    assert float(metrics.ari(None, LABEL, clusters=labels_pred)) == pytest.approx(expected)
    assert float(metrics.ari(Z, LABEL, clusters=labels_pred[:, None])) == pytest.approx(expected)
    scores = ut.evaluate(Z, FACTORS, ["ari"], label=0, clusters=labels_pred)
    assert scores["ari"].value == pytest.approx(expected)
    with pytest.raises(ValueError, match="needs codes to cluster, or clusters="):
        metrics.ari(None, LABEL)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"label": "species"}, "label is 'species'; expected the name of a factor: kind, size"),
        ({"batch": 7}, "batch is 7; expected one of 3 factors: kind, size, donor"),
        ({"clusters": [0, 1]}, "clusters has 2 rows but codes has 400"),
    ],
)
def test_errors_name_the_value(roles, message):
    with pytest.raises(ValueError, match=message):
        ut.evaluate(Z, FACTORS, ["ari"], names=NAMES, **roles)
    still = FACTORS.copy()
    still[:, 0] = 2
    with pytest.raises(ValueError, match=r"'kind' cannot be the label: it has a single value \(2"):
        ut.evaluate(Z, still, ["ari"], names=NAMES, label="kind")


def test_files_bring_labels_and_clusters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", codes=Z, labels_true=FACTORS, labels_pred=LABEL)
    table = read("a.npz")
    np.testing.assert_array_equal(table.clusters, LABEL)
    assert ut.evaluate(table, metrics=["ari"], label=0)["ari"].value == 1.0
    np.save("z.npy", Z)
    np.save("kind.npy", np.array(["a", "b", "c", "d"])[LABEL])
    np.save("donor.npy", BATCH)
    table = read("z.npy", factors="kind.npy,donor.npy")
    assert table.names == ("kind", "donor")
    assert table.values == {"kind": ("a", "b", "c", "d")}
    np.testing.assert_array_equal(table.factors, np.stack([LABEL, BATCH], 1))
    with pytest.raises(ValueError, match="name the factors' files by --factors"):
        read("z.npy")
    np.save("objects.npy", np.array([{}] * N), allow_pickle=True)
    with pytest.raises(ValueError, match=r"objects\.npy"):
        read("z.npy", factors="objects.npy")


def test_the_command_line_takes_label_and_batch(tmp_path, monkeypatch, capsys):
    from untwine.cli import main

    monkeypatch.chdir(tmp_path)
    np.save("z.npy", Z)
    np.save("kind.npy", LABEL)
    np.save("donor.npy", BATCH)
    command = "measure z.npy --label kind.npy --batch donor.npy --out scores.json --no-progress"
    assert main(command.split()) == 0
    assert "batch_silhouette" in capsys.readouterr().out
    frame = ut.evaluation.Evaluation.from_json(tmp_path / "scores.json").to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert {"mig", "ari", "lisi"} <= set(frame.index)
