"""What a graph of variables reduces to, and the graphs that are refused."""

import pytest
import torch
from torch.distributions import kl_divergence

import untwine.methods as m
from untwine.data import FewLabels
from untwine.methods import Context, Graph, Variable, play
from untwine.spec import describe, instantiate

from ..laws.conftest import make_data

CTX = Context(torch.tensor(0), 60)


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def twins(data):
    """M2, and the graph of M2 with the same parameters."""
    m2 = m.M2.build(data, latent_dim=4, seed=0, alpha=0.6, labelled=0.3).double()
    twin = m.GeneralizedM2.build(data, latent_dim=4, seed=1, alpha=2.0, gamma=0.3).double()
    twin.recognition["z_"].load_state_dict(m2.encoder.state_dict())
    twin.recognition["y_"].load_state_dict(m2.classifier.state_dict())
    twin.decoder.load_state_dict(m2.decoder.state_dict())
    return m2, twin


@pytest.fixture(scope="module")
def batch(data):
    x = data.observations(range(24)).double()
    return FewLabels(x[:16], x[16:], torch.from_numpy(data.factors[16:24, 0]))


def test_on_the_graph_of_m2_it_is_m2(twins, batch):
    losses, gradients = [], []
    for method in twins:
        torch.manual_seed(0)
        loss = next(method.moves(batch, CTX))["m2"]
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss.total, list(method.decoder.parameters())))
    for term in ("labelled", "unlabelled", "classification"):
        torch.testing.assert_close(
            losses[0].terms[term].double(), losses[1].terms[term], rtol=1e-6, atol=1e-6
        )
    torch.testing.assert_close(losses[0].total.double(), losses[1].total, rtol=1e-6, atol=1e-6)
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)


def test_its_codes_are_those_of_m2(twins, batch):
    m2, twin = twins
    with torch.no_grad():
        one, two = m2.represent(batch.x), twin.represent(batch.x)
        torch.testing.assert_close(one.mean, two.mean[:, twin.slices["z"]], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            one.stddev, two.stddev[:, twin.slices["z"]], rtol=1e-5, atol=1e-6
        )
        probs = m2.classify(batch.x).probs.double()
        torch.testing.assert_close(two.mean[:, twin.slices["y"]], probs, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(twin.classify(batch.x).probs, probs, rtol=1e-5, atol=1e-6)


def test_with_all_labels_it_is_a_conditional_vae(twins, batch):
    """The labelled part is a VAE whose encoder and decoder are given y, and the cost of y."""
    _, twin = twins
    torch.manual_seed(0)
    loss = next(twin.moves(batch, CTX))["m2"]
    torch.manual_seed(0)
    y = torch.nn.functional.one_hot(batch.yl, 3).double()
    q = twin.recognition["z_"](batch.xl, y)
    z = q.rsample()
    prior = twin.priors["z_"]()
    elbo = twin.decoder(z, y).log_prob(batch.xl) - kl_divergence(q, prior)
    torch.testing.assert_close(
        loss.terms["labelled"], -(elbo - torch.tensor(3.0).double().log()).mean()
    )


def test_incomplete_labels_that_are_complete_change_nothing(data, twins, batch):
    _, twin = twins
    other = m.GeneralizedM2.build(data, latent_dim=4, seed=1, alpha=2.0, incomplete=True).double()
    other.load_state_dict(twin.state_dict())
    narrow(twin), narrow(other)
    one, two = (next(method.moves(batch, CTX))["m2"] for method in (twin, other))
    for term in ("labelled", "classification"):
        torch.testing.assert_close(one.terms[term], two.terms[term], rtol=1e-6, atol=1e-6)


def test_an_example_whose_label_is_missing_is_an_unlabelled_one(data):
    method = m.GeneralizedM2.build(data, latent_dim=4, seed=1, incomplete=True).double()
    narrow(method)
    x = data.observations(range(8)).double()
    loss = next(method.moves(FewLabels(x, x, torch.full((8,), -1)), CTX))["m2"]
    torch.testing.assert_close(
        loss.terms["labelled"], loss.terms["unlabelled"], rtol=1e-6, atol=1e-6
    )
    assert loss.terms["classification"].item() == 0


@pytest.mark.parametrize("size", [90.0, 1e4])
def test_classifiers_that_are_sure_and_wrong_cost_what_they_should(data, size):
    """In single precision: the other classes have probability 0 and weights beyond any float."""
    method = m.GeneralizedM2.build(data, latent_dim=4, seed=1, incomplete=True)
    layer = [x for x in method.recognition["y_"].modules() if isinstance(x, torch.nn.Linear)][-1]
    with torch.no_grad():
        layer.weight.zero_(), layer.bias.zero_()
        layer.bias[0] = size
    complete = m.GeneralizedM2.build(data, latent_dim=4, seed=1)
    complete.load_state_dict(method.state_dict())
    narrow(method), narrow(complete)
    x = data.observations(range(8))
    batch = FewLabels(x, x, torch.ones(8, dtype=torch.long))
    one, two = (next(each.moves(batch, CTX))["m2"] for each in (method, complete))
    assert one.terms["classification"].item() == pytest.approx(size)
    torch.testing.assert_close(one.terms["labelled"], two.terms["labelled"], rtol=1e-5, atol=1e-5)
    one.total.backward()
    assert all(p.grad.isfinite().all() for p in method.parameters() if p.grad is not None)


def narrow(method):
    """Posteriors of z with no width, so that a draw is the mean."""
    layer = [x for x in method.recognition["z_"].modules() if isinstance(x, torch.nn.Linear)][-1]
    with torch.no_grad():
        layer.weight[4:], layer.bias[4:] = 0.0, -40.0


def faces(**kinds):
    return Graph(
        r=Variable(dim=3),
        i=Variable(classes=3, supervised="size", **kinds),
        l=Variable(classes=4, supervised="row", **kinds),
        s=Variable(dim=2, given=("l", "i"), prior_given=("l",)),
    )


def test_relaxed_variables_learn_and_need_no_sum(data):
    method = m.GeneralizedM2.build(data, graph=faces(relaxed=0.5), seed=0)
    x = data.observations(range(20))
    y = torch.from_numpy(data.factors[:20, :2])
    optimizers = {"m2": torch.optim.Adam(method.parameters(), 3e-3)}
    seen = []
    for step in range(60):
        torch.manual_seed(step)
        moves = method.moves(FewLabels(x, x, y), Context(torch.tensor(step), 60))
        seen += [loss.total.item() for _, loss in play(moves, optimizers)]
    assert seen[-1] < 0.75 * seen[0]
    found = method.classify(x, "l").probs.argmax(1)
    assert (found == y[:, 1]).float().mean() > 0.8


def test_a_low_temperature_and_a_certain_class_give_the_sum(data):
    """Where q is certain, the relaxed sample is that class, and so is the sum."""
    exact = m.GeneralizedM2.build(data, graph=faces(), seed=0).double()
    relaxed = m.GeneralizedM2.build(data, graph=faces(relaxed=0.05), seed=0).double()
    for method in (exact, relaxed):
        for name, width in (("r_", 3), ("s_", 2)):
            layers = method.recognition[name].modules()
            layer = [x for x in layers if isinstance(x, torch.nn.Linear)][-1]
            with torch.no_grad():
                layer.weight[width:], layer.bias[width:] = 0.0, -40.0
        for name in ("i_", "l_"):
            layers = method.recognition[name].modules()
            layer = [x for x in layers if isinstance(x, torch.nn.Linear)][-1]
            with torch.no_grad():
                layer.bias[1] += 60.0
    x = data.observations(range(5)).double()
    torch.testing.assert_close(exact.bound(x), relaxed.bound(x), rtol=1e-6, atol=1e-5)


def test_what_is_set_by_hand_is_followed(data):
    method = m.GeneralizedM2.build(data, graph=faces(), seed=0)
    x = data.observations(range(5))
    before = method.values(x)
    after = method.values(x, l=torch.full((5,), 2))
    torch.testing.assert_close(after["r"], before["r"])
    torch.testing.assert_close(after["l"], torch.eye(4)[2].expand(5, 4))
    assert not torch.allclose(after["s"], before["s"])
    assert method.decode(after).mean.shape == x.shape
    with pytest.raises(ValueError, match="no variable 'light'"):
        method.values(x, light=torch.zeros(5))


@pytest.mark.parametrize(
    ("graph", "incomplete", "samples"),
    [
        ({"z": {"dim": 2, "given": ("x", "size")}}, False, 1),
        ({"z": {"dim": 2}, "size": {"given": ("z",)}}, False, 10),
        ({"z": {"classes": 4}, "size": {"given": ("z",)}}, False, 1),
        ({"z": {"classes": 4, "relaxed": 0.5}, "size": {"given": ("z",)}}, False, 10),
        ({"row": {"supervised": True, "relaxed": 0.5}, "size": {"given": ("row",)}}, False, 1),
        ({"row": {"supervised": True, "relaxed": 0.5}, "size": {"given": ("row",)}}, True, 10),
    ],
)
def test_several_samples_where_weights_differ(data, graph, incomplete, samples):
    kinds = {"size": {"classes": 3, "supervised": True}, "row": {"classes": 4}}
    names = {**graph, "size": graph.get("size", {})}
    variables = {name: Variable(**{**kinds.get(name, {}), **own}) for name, own in names.items()}
    options = {"graph": Graph(**variables), "incomplete": incomplete, "seed": 0}
    assert m.GeneralizedM2.build(data, **options).samples == samples
    assert m.GeneralizedM2.build(data, **options, samples=3).samples == 3


def test_it_samples_from_its_priors(data):
    torch.manual_seed(0)
    assert m.GeneralizedM2.build(data, graph=faces(), seed=0).sample(7).shape == (7, 1, 16, 16)


def test_a_graph_is_written_down_and_made_again(data):
    method = m.GeneralizedM2.build(data, graph=faces(relaxed=0.5), seed=0)
    again = m.GeneralizedM2.build(data, **instantiate(describe(method)["init_args"]))
    assert again.graph.order == method.graph.order
    for (name, one), two in zip(
        method.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two), name


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "at least one variable"),
        ({"x": Variable(dim=2)}, "'x' is the observation"),
        ({"z": Variable(dim=2, given=("w",))}, r"given of variable 'z' names 'w'.*\['x'\]"),
        ({"z": Variable(dim=2, prior_given=("x",))}, "prior_given of variable 'z' names 'x'"),
        (
            {"a": Variable(dim=2, given=("b",)), "b": Variable(dim=2, given=("a", "x"))},
            r"given goes round in a circle among the variables \['a', 'b'\]",
        ),
        ({"z": Variable(dim=2, decoded=False)}, "decoder sees no variable"),
        (
            {"a": Variable(classes=64), "b": Variable(classes=38)},
            "2432 configurations, too many to sum over",
        ),
    ],
)
def test_graphs_that_cannot_be(variables, message):
    with pytest.raises(ValueError, match=message):
        Graph(**variables)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "a continuous variable has dim"),
        ({"dim": 2, "classes": 3}, "a continuous variable has dim"),
        ({"dim": 0}, "dim is 0"),
        ({"classes": 1}, "classes is 1"),
        ({"dim": 2, "supervised": True}, "has one dimension, but dim is 2"),
        ({"dim": 2, "relaxed": 0.5}, "temperature of a discrete variable"),
        ({"dim": 2, "given": "x"}, r"given is 'x'; expected a Sequence: for example \['x'\]"),
        ({"dim": 2, "given": ()}, "given is empty"),
    ],
)
def test_variables_that_cannot_be(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Variable(**settings)


def test_labels_that_do_not_fit(data):
    with pytest.raises(ValueError, match="has 5 classes, but factor 'size' has 3 values"):
        m.GeneralizedM2.build(data, graph=Graph(y=Variable(classes=5, supervised="size")))
    with pytest.raises(ValueError, match="no variable of the graph is supervised"):
        m.GeneralizedM2.build(data, graph=Graph(z=Variable(dim=2)))
    with pytest.raises(ValueError, match="no factor 'y'"):
        m.GeneralizedM2.build(data, graph=Graph(y=Variable(classes=3, supervised=True)))
    x = data.observations(range(4))
    method = m.GeneralizedM2.build(data, graph=faces())
    with pytest.raises(ValueError, match="1 labels for each example, but the graph's are"):
        next(method.moves(FewLabels(x, x, torch.zeros(4, dtype=torch.long)), CTX))
    few = m.FewLabelsVAE.build(data, label="size").stages()[0]
    with pytest.raises(ValueError, match="example 1 of the batch has the value 3"):
        few.begin([FewLabels(x, x, torch.tensor([-1, 3, 0, 0]))])
    with pytest.raises(ValueError, match="2 labels for each example"):
        few.begin([FewLabels(x, x, torch.zeros(4, 2, dtype=torch.long))])
    for cls in (m.M2, m.M1, m.M1M2, m.GeneralizedM2):
        stage = cls.build(data, label="size").stages()[0]
        for wrong in (3, -1):
            bad = FewLabels(x, x, torch.tensor([0, 1, wrong, 2]))
            with pytest.raises(ValueError, match=f"example 2 of the batch has the value {wrong}"):
                stage.begin([bad])
