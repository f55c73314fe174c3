"""Docstrings and equations as plain text."""

import pytest

import untwine.methods as methods
from untwine.settings.docstrings import Docstring, plain_text
from untwine.settings.errors import did_you_mean
from untwine.settings.options import options
from untwine.settings.tex import plain_math


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\lambda_{od}", "λ_od"),
        (r"\tfrac12 (a + \frac{a + b}{2})", "½ (a + (a + b) / 2)"),
        (r"\sum_{i \ne j} C_{ij}^2", "Σ_(i ≠ j) C_ij²"),
        (r"D_{KL}(q(z|x) \,\|\, p(z))", "D_KL(q(z|x) ‖ p(z))"),
        (r"\mathbb{E}_{\bar q(z)}[\log x_0]", "E_q\u0304(z)[log x₀]"),
        (
            r"\begin{cases} a & x < \tau \\ b & \text{otherwise} \end{cases}",
            "{ a, x < τ; b, otherwise }",
        ),
        (r"e^{-|x_i - \mu_i| / b}", "e^(-|x_i - μ_i| / b)"),
        (r"\Big[ L^\top \Big]", "[L⊤]"),
        (r"\overline{\mathcal{L}(x)}", "⟨ℒ(x)⟩"),
    ],
)
def test_equations_become_one_line(tex, text):
    assert plain_math(tex) == text


def test_markup_is_taken_out():
    text = "A :class:`~untwine.methods.VAE` with ``x -> z``,\n  *instead of* :math:`\\beta` = 1."
    assert plain_text(text) == "A untwine.methods.VAE with x -> z, instead of β = 1."


def test_a_docstring_is_taken_apart():
    def function():
        r"""Does it.

        .. math::
            a = \alpha

        More
        of it.

        Args:
            first: One
                thing.
            second (float, optional): Another: :math:`\beta`.
            **others: The rest.

        References:
            Ada, Bo, Cy, "A title, with 1984 in it", 2020, https://example.org/x, equation 2.

            And a second paragraph.
        """

    about = Docstring.of(function)
    assert about.summary == "Does it."
    assert about.body == ("  a = α", "More of it.")
    assert about.equations == ("a = α",)
    assert about.arguments == {
        "first": "One thing.",
        "second": "Another: β.",
        "others": "The rest.",
    }
    assert about.paper == "Ada et al. 2020"
    assert about.link == "https://example.org/x"
    assert about.sections["References"].endswith("And a second paragraph.")


def test_a_parents_docstring_is_not_taken_for_ones_own():
    class Child(methods.VAE):
        pass

    assert Docstring.of(Child).summary == ""


@pytest.mark.parametrize("name", methods.__all__)
def test_every_method_is_documented_for_the_command_line(name):
    cls = getattr(methods, name)
    about = Docstring.of(cls)
    assert about.summary.endswith(".")
    assert about.equations
    assert about.paper
    assert about.link.startswith("https://")
    assert "\\" not in "".join([about.summary, *about.body])
    for option in options(cls).values():
        assert option.help, f"{name} does not say what {option.name} is"


def test_the_nearest_name_is_found_whatever_its_case():
    assert did_you_mean("betatcvea", ["VAE", "BetaTCVAE"]) == ": did you mean BetaTCVAE?"
    assert did_you_mean("xyz", ["VAE", "BetaTCVAE"]) == "."
