"""The second edition's contracts: constructors, moves, terms, covariates, named parts."""

import ast
import inspect
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

import untwine as ut
import untwine.methods as m
from untwine.data import FactorDataset
from untwine.functional import at
from untwine.methods import KL, VAE, Context, Loss, Model, Penalty, Player, Stage, play
from untwine.methods.method import build_parameters
from untwine.training.finite import Watch

from ..training_toys import DIM, Points, Toy
from .conftest import first_batch, make_data, suited

SOURCES = {
    path: ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(Path(ut.__file__).parent.rglob("*.py"))
}
POINTING = frozenset(
    re.findall(
        r"\w+",
        "all_ asked both done each every found given here it kept known left lost made met noted "
        "one other others own rest said same seen some taken that there thing things this told "
        "wanted what which written",
    )
)
TERMS = frozenset(  # participles that are terms of the field, and words that are none
    re.findall(
        r"\w+",
        "balanced between centered children even expected frozen hidden labelled learned need "
        "normalized observed open packed pooled predicted sampled screen seed shared shuffled "
        "speed squared stacked supervised token trained unbiased unlabelled unnormalized",
    )
)
CTX = Context(torch.tensor(0), 60)
METHODS = {name: getattr(m, name) for name in m.__all__}


class Stubborn(VAE):
    def __init__(self, *parts, **options):
        options["penalty"] = KL(4.0)
        super().__init__(*parts, **options)


class Positional(VAE):
    def __init__(self, model, beta=2.0):
        super().__init__(model, penalty=KL(beta))
        self.beta = beta


class Lenient(VAE):
    def __init__(self, *parts, beta=2.0, **options):
        super().__init__(*parts, penalty=KL(beta), **options)


@pytest.fixture(scope="module")
def vectors():
    return make_data(shape=(7,))


@pytest.fixture(scope="module")
def conditioned():
    """Vectors with two covariates."""
    data = make_data(shape=(7,))
    c = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    return FactorDataset.from_arrays(
        data.observations(range(60)), data.factors, data.space.names, covariates=c
    )


def test_a_setting_that_the_constructor_replaces_is_refused(vectors):
    with pytest.raises(TypeError, match="replaces penalty by"):
        Stubborn.build(vectors, penalty=KL(99.0))
    with pytest.raises(TypeError, match="multiple values for keyword argument 'penalty'"):
        Lenient.build(vectors, penalty=KL(99.0))
    assert Stubborn.build(vectors).penalty.beta == 4.0


def test_settings_of_users_constructors_are_taken_by_name(vectors):
    assert Positional.build(vectors, beta=3.0).penalty.beta == 3.0
    rate = partial(Adam, lr=0.5)
    method = Lenient.build(vectors, beta=3.0, optimizer=rate)
    assert method.penalty.beta == 3.0
    assert method.optimizer is rate
    with pytest.raises(TypeError, match="did you mean 'beta'"):
        Lenient.build(vectors, bta=3.0)


@pytest.mark.parametrize("cls", METHODS.values(), ids=METHODS)
def test_constructors_are_plain(cls):
    for function in (cls.__init__, cls.parts):
        parameters = list(inspect.signature(function).parameters.values())
        kinds = {p.kind for p in parameters}
        assert not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    for name in build_parameters(cls):
        assert name.isidentifier()


@pytest.mark.parametrize("cls", METHODS.values(), ids=METHODS)
def test_covariates_go_all_the_way_or_are_refused_when_it_is_made(cls, conditioned):
    if cls.supervision is ut.data.Modalities:
        row = np.arange(60)
        data = ut.data.Multimodal(
            {"one": conditioned, "two": make_data((5,))}, {"one": row % 5 > 0}
        )
    else:
        data = conditioned
    if cls.without_covariates is not None:
        with pytest.raises(ValueError, match=r"the data has covariates, and .* takes none: .+"):
            cls.build(data, latent_dim=4, seed=0)
        return
    method = cls.build(data, latent_dim=4, seed=0)
    torch.manual_seed(0)  # of what the moves draw: codes on a grid may stay where they are
    batch = first_batch(method, data)
    assert batch.c is not None
    for stage in method.stages():
        if stage.begin is not None:
            stage.begin([batch])
        players = method.players()
        optimizers = {
            n: players[n].optimizer(players[n].parameters()) for n in stage.players or players
        }
        for _, loss in play(stage.moves(batch, CTX), optimizers):
            assert torch.isfinite(loss.total)
    codes = ut.encode(method, data, n=20)
    rows = data.batch(range(5))
    assert method.decode(torch.from_numpy(codes.mean[:5]), c=rows.c).mean is not None
    other = type(rows)(**{**vars(rows), "c": rows.c.flip(1)})
    with torch.no_grad():
        method.eval()
        q, moved = method.represent(rows).mean, method.represent(other).mean
    assert not torch.allclose(q, moved)  # the covariates reach the encoder


@pytest.mark.parametrize("name", METHODS)
def test_means_are_the_same_each_time(name):
    cls = METHODS[name]
    data = suited(cls, make_data())
    method = cls.build(data, latent_dim=4, seed=0).eval()
    x = data.observations(range(5))
    with torch.no_grad():
        one, two = method.represent(x).mean, method.represent(x).mean
        assert torch.equal(one, two)
        if isinstance(method, m.Decodes):
            a, b = method.decode(one).mean, method.decode(one).mean
            for part in a if isinstance(a, dict) else [slice(None)]:
                assert torch.equal(a[part], b[part])


class Phases(Toy):
    """An adversarial autoencoder's ownership: one encoder, an optimizer for each phase."""

    def players(self):
        return {
            "reconstruction": Player((self.encoder, self.decoder), partial(SGD, lr=1e-2)),
            "regularization": Player((self.encoder,), partial(Adam, lr=1e-3)),
        }

    def moves(self, batch, ctx):
        z = self.encoder(batch.x)[:, :DIM]
        yield {"reconstruction": Loss(nll=((self.decoder(z) - batch.x) ** 2).sum(1))}
        yield {"regularization": Loss(size=(self.encoder(batch.x) ** 2).sum(1))}


class Clash(Phases):
    def moves(self, batch, ctx):
        size = Loss(size=(self.encoder(batch.x) ** 2).sum(1))
        yield {("reconstruction", "regularization"): size}


def test_players_of_different_moves_may_share_a_module(tmp_path):
    method = Phases()
    before = method.encoder[0].weight.detach().clone()
    run = ut.fit(method, Points(), steps=5, out=tmp_path / "run", progress=False)
    assert not torch.equal(method.encoder[0].weight, before)
    assert {"reconstruction/nll", "regularization/size"} <= set(run.log.columns)
    whole = ut.fit(Phases(), Points(), steps=8, out=tmp_path / "whole", progress=False).method
    resumed = ut.fit(Phases(), Points(), steps=8, out=tmp_path / "run", progress=False).method
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_players_of_one_move_that_share_are_refused_by_name():
    with pytest.raises(ValueError, match="'reconstruction' and 'regularization' of one move"):
        ut.fit(Clash(), Points(), steps=1, progress=False)


def test_losses_are_values():
    nll = Loss(nll=torch.tensor([1.0, 3.0]))
    kl = {"kl": (2.0, torch.tensor([0.5, 1.5])), "cov": torch.tensor(4.0)}
    both = nll + kl
    assert (kl + nll).total == both.total == 2.0 + 2.0 * 1.0 + 4.0
    assert both.per_example().tolist() == [1 + 1 + 4, 3 + 3 + 4]
    weight = torch.tensor([1.0, 0.0])
    scaled = (both * weight).suffix("_style")
    assert {n: v.item() for n, v in scaled.terms.items()} == {
        "nll_style": 0.5,
        "kl_style": 0.25,
        "cov_style": 4.0,
    }
    assert scaled.weights["kl_style"] == 2.0
    assert (0.5 * both).terms["cov"] == 2.0
    with pytest.raises(ValueError, match="both losses have a term 'nll'"):
        _ = both + nll


def test_factor_vae_takes_a_total_correlation_beside_its_own(vectors):
    method = m.FactorVAE.build(vectors, 4, seed=0, penalty=m.TotalCorrelation(), critic_width=8)
    loss = next(iter(method.moves(first_batch(method, vectors), CTX)))["vae"]
    assert {"tc", "tc_penalty", "mi_penalty"} <= set(loss.terms)


class Lazy(Toy):
    """A regularizer of every third step."""

    def __init__(self):
        super().__init__()
        self.due = []

    def moves(self, batch, ctx):
        self.due.append(f"{int(ctx.step)}")
        yield {
            "vae": Loss(nll=((self.decoder(self.represent(batch.x).mean) - batch.x) ** 2).sum(1))
        }

    def regularize(self, batch, ctx):
        self.due.append("r")
        yield {"vae": Loss(size=(self.represent(batch.x).mean ** 2).sum(1))}

    def stages(self):
        return (Stage("fit", self.moves, every={3: self.regularize}),)


def test_what_is_due_every_nth_step_is_played_then(tmp_path):
    method = Lazy()
    ut.fit(method, Points(), steps=8, progress=False)
    assert "".join(method.due) == "0r123r456r7"
    out = tmp_path / "run"
    ut.fit(Lazy(), Points(), steps=4, out=out, progress=False)
    resumed = Lazy()
    ut.fit(resumed, Points(), steps=8, out=out, progress=False)
    assert "".join(resumed.due) == "456r7"
    for name, value in method.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    with pytest.raises(ValueError, match="every names 0"):
        Stage("fit", method.moves, every={0: method.regularize})


class Slope(Penalty):
    r"""The KL divergence, and :math:`\|J v\|^2` of the decoder's mean along one direction."""

    def __init__(self, weight=1.0):
        self.weight = weight

    def __call__(self, t, ctx):
        v = torch.ones_like(t.z)
        _, along = torch.func.jvp(lambda z: t.decode(z).mean, (t.z,), (v,))
        return KL()(t, ctx) + Loss(slope=(at(self.weight, ctx.step), (along**2).flatten(1).sum(1)))


@pytest.mark.parametrize("name", ["VAE", "AdaGVAE", "MLVAE", "FactorVAE", "FewLabelsVAE"])
def test_a_penalty_may_differentiate_the_decoder(name, conditioned):
    method = METHODS[name].build(conditioned, 4, seed=0, penalty=Slope())
    loss = next(iter(method.moves(first_batch(method, conditioned), CTX)))["vae"]
    slopes = [v for n, v in loss.terms.items() if n.startswith("slope")]
    assert slopes
    assert all(value > 0 for value in slopes)
    loss.total.backward()
    assert all(p.grad is not None for p in method.model.decoder.net.parameters() if p.ndim > 1)


def test_the_slope_of_a_linear_decoder_is_its_matrix(vectors):
    model = Model.of(vectors, 3)
    matrix = nn.Linear(3, 7, bias=False)
    model.decoder = ut.distributions.Conditional(matrix, ut.distributions.Gaussian())
    loss = Slope()(model.trace(vectors.batch(range(8))), CTX)
    expected = (matrix.weight.sum(1) ** 2).sum()
    torch.testing.assert_close(loss.terms["slope"], expected)


def test_two_builds_with_one_prior_share_nothing(vectors):
    prior = ut.distributions.GaussianMixture(4, 3)
    one, two = (VAE.build(vectors, 4, prior=prior) for _ in range(2))
    assert not {id(p) for p in one.parameters()} & {id(p) for p in two.parameters()}


def test_lords_players_have_the_gradients_of_two_passes():
    data = make_data()
    method = m.LORD.build(data, latent_dim=4, seed=0)
    move = next(iter(method.moves(first_batch(method, data), CTX)))
    ((team, loss),) = move.items()
    assert team == ("codes", "generator")
    players = method.players()
    together = torch.autograd.grad(
        loss.total, [p for n in team for p in players[n].parameters()], retain_graph=True
    )
    reconstruction = sum(loss.weights[n] * loss.terms[n] for n in ("nll", "perceptual"))
    codes = torch.autograd.grad(loss.total, players["codes"].parameters(), retain_graph=True)
    generator = torch.autograd.grad(reconstruction, players["generator"].parameters())
    for a, b in zip(together, (*codes, *generator), strict=True):
        torch.testing.assert_close(a, b)


def test_one_swap_serves_all_methods_whose_code_has_parts(conditioned):
    images = make_data()
    for name, take in (("MLVAE", "content"), ("LORD", "class"), ("Mathieu2016", "specified")):
        method = METHODS[name].build(images, latent_dim=4, seed=0).eval()
        a, b = images.observations(range(4)), images.observations(range(4, 8))
        q, r = method.represent(a), method.represent(b)
        z = q.mean.clone()
        z[:, q.slices[take]] = r.mean[:, q.slices[take]]
        expected = method.decode(z).mean
        torch.testing.assert_close(m.swap(method, a, b, take=take), expected)
        with pytest.raises(ValueError, match="take is 'nothing'; the code has the parts"):
            m.swap(method, a, b, take="nothing")
    method = m.M2.build(conditioned, latent_dim=3, seed=0, label="size")
    a, b = conditioned.batch(range(4)), conditioned.batch(range(4, 8))
    y = method.classify(b).probs.argmax(1)
    expected = method.decode(method.represent(a).mean, c=a.c, y=y).mean
    torch.testing.assert_close(m.swap(method, a, b, take="class"), expected)


def test_weights_of_the_first_edition_load(vectors):
    method, other = (VAE.build(vectors, 4, seed=seed) for seed in (0, 1))
    old = {name.removeprefix("model."): value for name, value in method.state_dict().items()}
    other.load_state_dict(old)
    for name, value in method.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_a_term_of_any_move_of_a_player_that_is_not_finite_is_named():
    watch = Watch(immediate=False, agree=lambda first: None)  # as on a device that runs ahead
    for step in range(5):
        bad = torch.tensor([torch.nan if step == 2 else 0.0])
        watch.see("vae", Loss(one=bad), torch.tensor(step))
        watch.see("vae", Loss(two=torch.zeros(1)), torch.tensor(step))
    assert watch.check() == ("vae", "one", 3)


def assigned(tree):
    """Names of variables and parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def test_a_name_says_what_the_thing_is():
    """Neither a pointing word (`found`, `other`) nor a mere participle; field's terms may be."""
    names = [name for tree in SOURCES.values() for name in assigned(tree)]
    words = [name.strip("_") for name in names]
    pointing = [word for word in words if word in POINTING]
    participles = [w for w in words if re.fullmatch("[a-z]+(ed|en)", w) and w not in TERMS]
    assert len(words) > 10_000
    assert len(pointing) < 0.02 * len(words)
    assert sum(word not in POINTING for word in participles) < 0.015 * len(words)


def test_the_first_line_of_a_module_says_what_is_in_it():
    """In words that one searches for, and as a noun: no riddle, no sentence about somebody."""
    lines = {str(p): (ast.get_docstring(tree) or "").split("\n")[0] for p, tree in SOURCES.items()}
    assert all(lines.values())
    riddle = re.compile(r"(What|Who|Why|When|How|Where|Everything|Nothing|Some|It)\b")
    riddles = {name: line for name, line in lines.items() if riddle.match(line)}
    assert len(riddles) < 6, riddles


def test_a_class_has_a_name_of_its_own():
    names = [n.name for t in SOURCES.values() for n in t.body if isinstance(n, ast.ClassDef)]
    rooms = {"Folder", "Metric", "Progress"}  # of a study or of geometry, beside the other one
    assert {name for name in names if names.count(name) > 1} <= rooms
