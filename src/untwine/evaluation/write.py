"""Tables as files: for spreadsheets, programs, papers and pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..reading import expanded

if TYPE_CHECKING:
    import pandas

__all__ = ["ENDINGS", "check_ending", "latex", "markdown", "write_table"]

ENDINGS = (".csv", ".json", ".tex", ".md", ".parquet")
"""What names of tables end in."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{mark: "\\" + mark for mark in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
}


def check_ending(path: str | Path) -> Path:
    """The path of a table.

    Raises:
        ValueError: for a name whose ending is no table's.
    """
    file = expanded(path)
    if file.suffix not in ENDINGS:
        raise ValueError(
            f"{str(path)!r} is no table: expected a name that ends in {', '.join(ENDINGS)}"
        )
    return file


def write_table(frame: pandas.DataFrame, path: str | Path) -> Path:
    """Writes a table, in the form that the name's ending says; returns its path.

    Numbers keep all their digits in ``.csv``, ``.json`` (a list of rows) and ``.parquet``, and four
    in ``.tex`` (for booktabs) and ``.md``.

    Raises:
        ValueError: for another ending.
        ImportError: for Parquet without pyarrow.
    """
    file = check_ending(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    elif file.suffix == ".json":
        frame.to_json(file, orient="records", indent=1, double_precision=15)
    elif file.suffix == ".parquet":
        try:
            frame.to_parquet(file, index=False)
        except ImportError as error:
            raise ImportError(
                "Parquet needs pyarrow: pip install 'untwine[files]', or write .csv"
            ) from error
    else:
        file.write_text((latex if file.suffix == ".tex" else markdown)(frame), encoding="utf-8")
    return file


def markdown(frame: pandas.DataFrame) -> str:
    """A table of Markdown.

    Example:
        >>> import pandas
        >>> print(markdown(pandas.DataFrame({"metric": ["mig"], "value": [0.25]})), end="")
        | metric | value |
        | --- | ---: |
        | mig | 0.2500 |
    """
    head = [str(name).replace("|", "\\|") for name in frame.columns]
    rule = ["---:" if _numeric(frame, k) else "---" for k in range(len(head))]
    rows = [[cell.replace("|", "\\|") for cell in row] for row in _cells(frame)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def latex(frame: pandas.DataFrame) -> str:
    r"""A table of LaTeX, with the rules of booktabs.

    Example:
        >>> import pandas
        >>> print(latex(pandas.DataFrame({"metric": ["beta_vae"], "value": [0.25]})), end="")
        \begin{tabular}{lr}
        \toprule
        metric & value \\
        \midrule
        beta\_vae & 0.2500 \\
        \bottomrule
        \end{tabular}
    """
    columns = "".join("r" if _numeric(frame, k) else "l" for k in range(len(frame.columns)))
    head = _line([str(name) for name in frame.columns])
    rows = "".join(map(_line, _cells(frame)))
    return (
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head}\\midrule\n{rows}"
        "\\bottomrule\n\\end{tabular}\n"
    )


def _line(cells: Sequence[str]) -> str:
    words = ("".join(_SPECIAL.get(letter, letter) for letter in cell) for cell in cells)
    return " & ".join(words) + " \\\\\n"


def _numeric(frame: pandas.DataFrame, column: int) -> bool:
    return frame.dtypes.iloc[column].kind in "iuf"


def _cells(frame: pandas.DataFrame) -> list[list[str]]:
    """The texts of a table's cells; empty where there is no value."""
    return [
        ["" if v is None or v != v else f"{v:.4f}" if isinstance(v, float) else str(v) for v in row]
        for row in frame.itertuples(index=False)
    ]
