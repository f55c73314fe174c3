"""Equations as one line of plain text, for help and tables in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["plain_math"]

_LETTERS_BY_NAME = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi
rho sigma tau upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
_GREEK = dict(zip(_LETTERS_BY_NAME.split(), "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", strict=True))
_SYMBOLS = {
    **_GREEK,
    "varepsilon": "ε",
    "ell": "ℓ",
    "sum": "Σ",
    "prod": "Π",
    "int": "∫",
    "partial": "∂",
    "nabla": "∇",
    "infty": "∞",
    "ne": "≠",
    "neq": "≠",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "approx": "≈",
    "propto": "∝",
    "sim": "∼",
    "in": "∈",
    "to": "→",
    "mapsto": "↦",
    "cdot": "·",
    "cdots": "⋯",
    "dots": "…",
    "ldots": "…",
    "odot": "⊙",
    "times": "×",
    "pm": "±",
    "top": "⊤",
    "mid": "|",
    "|": "‖",
    "{": "{",
    "}": "}",
    "\\": ";",
    ",": " ",
    ";": " ",
    ":": " ",
    " ": " ",
    "!": "",
    "quad": " ",
    "qquad": "  ",
}
_IGNORED = {"left", "right", "textstyle", "displaystyle", "limits"} | {
    size + side for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r")
}
_STYLES = {"mathcal", "mathrm", "mathbf", "mathbb", "mathit", "text", "operatorname", "boldsymbol"}
_LETTERS = {("mathcal", "L"): "ℒ", ("mathcal", "H"): "ℋ", ("mathbb", "R"): "ℝ"}
_ACCENTS = {"bar": "\u0304", "tilde": "\u0303", "hat": "\u0302", "dot": "\u0307"}
_SUPERSCRIPT = str.maketrans("0123456789n-+", "⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁻⁺")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)


def plain_math(tex: str) -> str:
    r"""Writes an equation with Unicode's Greek letters, signs and digits, as far as they go.

    Example:
        >>> print(plain_math(r"\beta \, D_{KL}(q(z|x) \,\|\, p(z)) + \lambda_{od} \sigma^2"))
        β D_KL(q(z|x) ‖ p(z)) + λ_od σ²
    """
    tokens = iter(_TOKEN.findall(tex))
    text = _group(tokens)
    text = re.sub(r"[ \t\n]+", " ", text)
    text = re.sub(r"([(\[⟨]) | (?=[)\]⟩,;])", r"\1", text)
    return text.strip()


def _group(tokens: Iterator[str]) -> str:
    """Everything up to the brace that closes the group, or to the end."""
    parts: list[str] = []
    for token in tokens:
        if token == "}":
            break
        parts.append(_one(token, tokens))
    return "".join(parts)


def _argument(tokens: Iterator[str]) -> str:
    """What a command, or a hat or underscore, applies to: a group or one token."""
    for token in tokens:
        if not token.isspace():
            return _one(token, tokens)
    return ""


def _one(token: str, tokens: Iterator[str]) -> str:
    if token == "{":
        return _group(tokens)
    if token == "^":
        return _raised(_argument(tokens).strip())
    if token == "_":
        return _lowered(_argument(tokens).strip())
    if token == "&":
        return ", "
    if token == "'":
        return "′"
    if not token.startswith("\\"):
        return token
    name = token[1:]
    if name in ("frac", "tfrac", "dfrac"):
        above, below = _argument(tokens), _argument(tokens)
        return "½" if (above, below) == ("1", "2") else f"{_closed(above)} / {_closed(below)}"
    if name == "sqrt":
        return f"√{_closed(_argument(tokens))}"
    if name == "overline":
        return f"⟨{_argument(tokens)}⟩"
    if name in _ACCENTS:
        return _argument(tokens) + _ACCENTS[name]
    if name in _STYLES:
        letter = _argument(tokens)
        return _LETTERS.get((name, letter), letter)
    if name in ("begin", "end"):
        _argument(tokens)
        return "{ " if name == "begin" else " }"
    if name in _IGNORED:
        return ""
    return _SYMBOLS.get(name, name)


def _raised(text: str) -> str:
    if re.fullmatch(r"[-+]?[0-9n]+", text):
        return text.translate(_SUPERSCRIPT)
    return text if text in ("⊤", "′") else f"^{_closed(text)}"


def _lowered(text: str) -> str:
    if text.isdigit():
        return text.translate(_SUBSCRIPT)
    return f"_{_closed(text)}"


def _closed(text: str) -> str:
    """In parentheses, if it would fall apart without them."""
    return f"({text.strip()})" if re.search(r"[\s=+,≠]|(?<=.)-", text) else text
