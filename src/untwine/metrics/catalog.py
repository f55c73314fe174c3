"""What each metric is: its range, what it captures, what it needs, where it comes from.

The tables of the documentation and the command line's help are made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from .metric import Metric, similar

__all__ = ["GROUPS", "METRICS", "Metric", "entry", "table"]

_CHALLENGING = "https://arxiv.org/abs/1811.12359"

_ALL = (
    Metric(
        "beta_vae_score",
        "beta_vae_score",
        0.0,
        1.0,
        True,
        ("modularity",),
        "locatello2019",
        "Higgins et al. 2017",
        "https://openreview.net/forum?id=Sy2fzU9gl",
        rows="table",
        repeats=10,
    ),
    Metric(
        "factor_vae_score",
        "factor_vae_score",
        0.0,
        1.0,
        True,
        ("modularity",),
        "locatello2019",
        "Kim and Mnih 2018",
        "https://arxiv.org/abs/1802.05983",
        rows="table",
        repeats=10,
    ),
    Metric(
        "z_max_var",
        "z_max_var",
        0.0,
        1.0,
        True,
        ("modularity", "compactness"),
        "800 votes of 200",
        "Kim et al. 2019",
        "https://arxiv.org/abs/1902.01568",
        rows="table",
        repeats=10,
    ),
    Metric(
        "mig",
        "mig",
        0.0,
        1.0,
        True,
        ("compactness", "explicitness"),
        "locatello2019",
        "Chen et al. 2018",
        "https://arxiv.org/abs/1802.04942",
    ),
    Metric(
        "mig_sup",
        "mig_sup",
        0.0,
        1.0,
        True,
        ("modularity",),
        "li2020",
        "Li et al. 2020",
        "https://arxiv.org/abs/2002.10549",
    ),
    Metric(
        "dcimig",
        "dcimig",
        0.0,
        1.0,
        True,
        ("modularity", "explicitness"),
        "20 bins",
        "Sepliarskaia et al. 2019",
        "https://arxiv.org/abs/1910.05587",
    ),
    Metric(
        "jemmig",
        "jemmig",
        0.0,
        1.0,
        True,
        ("modularity", "compactness", "explicitness"),
        "20 bins",
        "Do and Tran 2020",
        "https://arxiv.org/abs/1908.09961",
    ),
    Metric(
        "modularity",
        "modularity",
        0.0,
        1.0,
        True,
        ("modularity",),
        "locatello2019",
        "Ridgeway and Mozer 2018",
        "https://arxiv.org/abs/1802.05312",
    ),
    Metric(
        "explicitness",
        "explicitness",
        0.0,
        1.0,
        True,
        ("explicitness",),
        "locatello2019",
        "Ridgeway and Mozer 2018",
        "https://arxiv.org/abs/1802.05312",
        rows="parts",
        repeats=10,
    ),
    Metric(
        "dci",
        "dci",
        0.0,
        1.0,
        True,
        ("modularity", "compactness", "explicitness"),
        "locatello2019",
        "Eastwood and Williams 2018",
        "https://openreview.net/forum?id=By-7dz-AZ",
        rows="parts",
        repeats=10,
        suite={"predictor": "fast"},
    ),
    Metric(
        "sap",
        "sap",
        0.0,
        1.0,
        True,
        ("compactness",),
        "locatello2019",
        "Kumar et al. 2018",
        "https://arxiv.org/abs/1711.00848",
        rows="parts",
        repeats=10,
    ),
    Metric(
        "irs",
        "irs",
        0.0,
        1.0,
        True,
        ("invariance",),
        "locatello2019",
        "Suter et al. 2019",
        "https://arxiv.org/abs/1811.00007",
    ),
    Metric(
        "infomec",
        "infomec",
        0.0,
        1.0,
        True,
        ("modularity", "compactness", "explicitness"),
        "hsu2023",
        "Hsu et al. 2023",
        "https://arxiv.org/abs/2305.18378",
        repeats=10,
    ),
    Metric(
        "mcc",
        "mcc",
        0.0,
        1.0,
        True,
        ("compactness", "modularity"),
        "Pearson",
        "Hyvarinen and Morioka 2016",
        "https://arxiv.org/abs/1605.06336",
    ),
    Metric(
        "r2",
        "mcc",
        0.0,
        1.0,
        True,
        ("explicitness",),
        "linear",
        "Zimmermann et al. 2021",
        "https://arxiv.org/abs/2102.08850",
        rows="parts",
        repeats=10,
    ),
    Metric(
        "downstream_accuracy",
        "downstream",
        0.0,
        1.0,
        True,
        ("explicitness",),
        "locatello2019",
        "Locatello et al. 2019",
        _CHALLENGING,
        rows="parts",
        repeats=10,
        suite={"predictor": "logistic"},
    ),
    Metric(
        "sample_efficiency",
        "downstream",
        0.0,
        inf,
        True,
        ("explicitness",),
        "locatello2019",
        "Locatello et al. 2019",
        _CHALLENGING,
        rows="parts",
        repeats=10,
        suite={"predictor": "logistic"},
    ),
    Metric(
        "unfairness",
        "fairness",
        0.0,
        1.0,
        False,
        ("fairness",),
        "locatello2019",
        "Locatello et al. 2019",
        "https://arxiv.org/abs/1905.13662",
        rows="parts",
        repeats=10,
        suite={"predictor": "fast"},
    ),
    Metric(
        "gaussian_total_correlation",
        "total_correlation",
        0.0,
        inf,
        False,
        ("independence",),
        "locatello2019",
        "Watanabe 1960",
        "https://doi.org/10.1147/rd.41.0066",
        needs=(),
    ),
    Metric(
        "wasserstein_correlation",
        "total_correlation",
        0.0,
        inf,
        False,
        ("independence",),
        "locatello2019",
        "Xiao and Wang 2019",
        "https://arxiv.org/abs/1912.12818",
        needs=(),
    ),
    Metric(
        "pairwise_mutual_information",
        "pairwise",
        0.0,
        inf,
        False,
        ("independence",),
        "locatello2019",
        "Locatello et al. 2019",
        _CHALLENGING,
        needs=(),
    ),
    Metric(
        "aggregate_total_correlation",
        "aggregate",
        0.0,
        inf,
        False,
        ("independence",),
        "exact",
        "Chen et al. 2018",
        "https://arxiv.org/abs/1802.04942",
        needs=("stddev",),
        repeats=10,
    ),
    Metric(
        "dimension_kl",
        "activity",
        0.0,
        inf,
        None,
        ("information",),
        "standard normal prior",
        "Kingma and Welling 2014",
        "https://arxiv.org/abs/1312.6114",
        needs=("stddev",),
    ),
    Metric(
        "active_units",
        "activity",
        0.0,
        inf,
        None,
        ("information",),
        "variance above 0.01",
        "Burda et al. 2016",
        "https://arxiv.org/abs/1509.00519",
        needs=(),
    ),
    Metric(
        "block_mutual_information",
        "blocks",
        0.0,
        inf,
        False,
        ("independence",),
        "3 nearest neighbors",
        "Kraskov et al. 2004",
        "https://arxiv.org/abs/cond-mat/0305641",
        needs=("blocks",),
        repeats=10,
    ),
    Metric(
        "udr",
        "udr",
        0.0,
        1.0,
        True,
        ("agreement",),
        "Lasso",
        "Duan et al. 2020",
        "https://arxiv.org/abs/1905.12614",
        needs=("a set of runs",),
    ),
    Metric(
        "model_centrality",
        "model_centrality",
        0.0,
        1.0,
        True,
        ("agreement",),
        "infogan_cr",
        "Lin et al. 2020",
        "https://arxiv.org/abs/1906.06034",
        needs=("a set of runs",),
    ),
)

#: Every metric, by name.
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}

#: Names that stand for several metrics.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": tuple(METRICS),
    "classic": (
        "beta_vae_score",
        "factor_vae_score",
        "mig",
        "modularity",
        "explicitness",
        "dci",
        "sap",
    ),
    "unsupervised": tuple(m.name for m in _ALL if "factors" not in m.needs),
}


def entry(name: str) -> Metric:
    """A metric by its name.

    Raises:
        ValueError: for a name that there is not, with close matches.

    Example:
        >>> entry("mig").higher_is_better
        True
    """
    if name in METRICS:
        return METRICS[name]
    close = similar(name, METRICS) or f"; there are {', '.join(METRICS)}"
    raise ValueError(f"there is no metric {name!r}{close}")


def table() -> str:
    """The metrics as a Markdown table, for the documentation."""
    lines = [
        "| metric | range | better | asks for | default protocol | introduced by |",
        "|---|---|---|---|---|---|",
    ]
    for m in _ALL:
        better = {True: "higher", False: "lower", None: ""}[m.higher_is_better]
        paper = f"[{m.paper}]({m.link})" if m.link else m.paper
        lines.append(
            f"| [`{m.name}`]({m.name}.md) | {_end(m.low)} to {_end(m.high)} | {better} "
            f"| {', '.join(m.captures)} | {m.source} | {paper} |"
        )
    return "\n".join(lines)


def _end(value: float) -> str:
    return {inf: "∞", -inf: "-∞"}.get(value, f"{value:g}")
