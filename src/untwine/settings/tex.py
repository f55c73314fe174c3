"""Equations of TeX as one line of plain text, for help and tables in a terminal."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_math"]

_SIGNS = r"""varepsilon ε ell ℓ sum Σ prod Π int ∫ partial ∂ nabla ∇ infty ∞ ne ≠ neq ≠ le ≤ leq ≤
ge ≥ geq ≥ approx ≈ propto ∝ sim ∼ in ∈ to → mapsto ↦ cdot · cdots ⋯ dots … ldots … odot ⊙ times ×
pm ± top ⊤ mid | | ‖ lambda λ Lambda Λ \ ;"""
_NOTHING = """! left right textstyle displaystyle limits big bigl bigr Big Bigl Bigr bigg biggl
biggr Bigg Biggl Biggr"""
_SYMBOLS = {
    **dict(zip(_SIGNS.split()[::2], _SIGNS.split()[1::2], strict=True)),
    **dict.fromkeys([*",;: ", "quad", "qquad"], " "),
    **dict.fromkeys(_NOTHING.split(), ""),
}
_STYLES = ("mathcal", "mathrm", "mathbf", "mathbb", "mathit", "text", "operatorname", "boldsymbol")
_LETTERS = {("mathcal", "L"): "ℒ", ("mathcal", "H"): "ℋ", ("mathbb", "R"): "ℝ"}
_ACCENTS = {"bar": "\u0304", "tilde": "\u0303", "hat": "\u0302", "dot": "\u0307"}
_COMMANDS = {"frac", "tfrac", "dfrac", "sqrt", "overline", *_ACCENTS, *_STYLES}
_SUPERSCRIPT = str.maketrans("0123456789n-+", "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁻⁺")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
# Signs that are meant as they are stand aside (private characters) until all structure is resolved.
_ASIDE = str.maketrans("{}^_", "\ue000\ue001\ue002\ue003")
_BACK = str.maketrans("\ue000\ue001\ue002\ue003", "{}^_", "{}")

_BRACED = r"\{([^{}\\^_]*)\}"
_ARGUMENT = rf"\s*(?:{_BRACED}|([^{{}}\\^_\s]))"  # a group without anything to resolve, or a sign


def plain_math(tex: str) -> str:
    r"""Writes an equation with Unicode's Greek letters, signs and digits, as far as they go.

    Example:
        >>> print(plain_math(r"\beta \, D_{KL}(q(z|x) \,\|\, p(z)) + \lambda_{od} \sigma^2"))
        β D_KL(q(z|x) ‖ p(z)) + λ_od σ²
    """
    text = re.sub(r"\\(begin|end)\s*\{\w+\*?\}", r"\\\1 ", tex)
    text = re.sub(r"\\([A-Za-z]+|.)", _symbol, text, flags=re.DOTALL)
    text = text.replace("&", ", ").replace("'", "′")
    before = None
    while before != text:
        before = text
        text = re.sub(rf"\\[td]?frac{_ARGUMENT}{_ARGUMENT}", _fraction, text)
        text = re.sub(rf"(\\(?![td]?frac)[A-Za-z]+(?![A-Za-z])|[_^]){_ARGUMENT}", _applied, text)
        if text == before:
            text = re.sub(rf"(?<![A-Za-z^_}}]){_BRACED}", r"\1", text)
    text = re.sub(r"\s+", " ", text.translate(_BACK))
    return re.sub(r"([(\[⟨]) | (?=[)\]⟩,;])", r"\1", text).strip()


def _symbol(command: re.Match[str]) -> str:
    name = command[1]
    if name in ("begin", "end"):
        return ("{ " if name == "begin" else " }").translate(_ASIDE)
    if name in _COMMANDS:
        return command[0]
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if not name.isalpha():
        return name.translate(_ASIDE)
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return name


def _fraction(match: re.Match[str]) -> str:
    above, below = (group for group in match.groups() if group is not None)
    return "½" if (above, below) == ("1", "2") else f"{_closed(above)} / {_closed(below)}"


def _applied(match: re.Match[str]) -> str:
    """What a command, a hat or an underscore makes of its argument."""
    name, text = match[1].removeprefix("\\"), match[2] or match[3] or ""
    if name == "sqrt":
        return f"√{_closed(text)}"
    if name == "overline":
        return f"⟨{text}⟩"
    if name == "^" and re.fullmatch(r"[-+]?[0-9n]+", text):
        return text.translate(_SUPERSCRIPT)
    if name == "_" and text.isdigit():
        return text.translate(_SUBSCRIPT)
    if name in "^_":
        return text if text in ("⊤", "′") else name.translate(_ASIDE) + _closed(text.strip())
    return text + _ACCENTS[name] if name in _ACCENTS else _LETTERS.get((name, text), text)


def _closed(text: str) -> str:
    """In parentheses, if it would fall apart without them."""
    return f"({text.strip()})" if re.search(r"[\s=+,≠]|(?<=.)-", text) else text
