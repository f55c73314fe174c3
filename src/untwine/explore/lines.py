"""Lines of Python that decode a code as the page does."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["python_lines"]


def python_lines(
    code: Sequence[float],
    *,
    run: str | None,
    trust: Sequence[str] = (),
    row: int | None = None,
    label: int | None = None,
) -> str:
    """What to type to have the picture that is on the page as a tensor.

    Args:
        code: The code, ``(D,)``.
        run: The run's folder; ``None`` for a method and data that are at hand.
        trust: Packages of one's own that the run's spec may name.
        row: The observation whose covariates the decoder is given, if it takes any.
        label: The class that the decoder is given, if it takes one.

    Example:
        >>> print(python_lines([0.5, -1.0], run="runs/tc6"))
        import torch, untwine as ut
        method = ut.Run.load('runs/tc6').method
        z = torch.tensor([[0.5, -1.0]])
        with torch.no_grad():
            image = method.decode(z).mean[0]
    """
    lines = ["import torch, untwine as ut"]
    if run is not None:
        trusted = f", trust={list(trust)!r}" if trust else ""
        if row is None:
            lines.append(f"method = ut.Run.load({run!r}{trusted}).method")
        else:
            lines.append(f"run = ut.Run.load({run!r}{trusted})")
            lines.append("method, data = run.method, run.data")
    else:
        lines.append("method.eval()")
    numbers = ", ".join(repr(round(float(value), 4)) for value in code)
    lines.append(f"z = torch.tensor([[{numbers}]])")
    given = "" if row is None else f", c=data.batch([{row}]).c"
    given += "" if label is None else f", y=torch.tensor([{label}])"
    return "\n".join(
        [*lines, "with torch.no_grad():", f"    image = method.decode(z{given}).mean[0]"]
    )
