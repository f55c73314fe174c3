"""A mistake is one line that says what was given, what is allowed, and what was probably meant."""

import pytest

DATA = "--data Npz --data.path small.npz"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"--method BetaTCVAE --method.bta 3 {DATA} --steps 2", ["'bta'", "did you mean beta?"]),
        (f"--method BetaTCVEA {DATA} --steps 2", ["'BetaTCVEA'", "did you mean BetaTCVAE?"]),
        (f"--method untwine.data.Npz {DATA} --steps 2", ["untwine.data.Npz is no Method"]),
        (f"--method no_such_module.X {DATA} --steps 2", ["no module 'no_such_module'"]),
        (f"--method mine_of_the_user.X {DATA} --steps 2", ["mine_of_the_user has no 'X'"]),
        (f"--method mine_of_the_user.Half {DATA} --steps 2", ["does not define", "moves"]),
        (f"--method VAE --method.latent_dim 2.5 {DATA} --steps 2", ["'2.5'", "expected int"]),
        (f"--method VAE --method.latent_dim 0 {DATA} --steps 2", ["latent_dim is 0"]),
        (
            f"--method BetaVAE --method.beta strong {DATA} --steps 2",
            ["--method.beta is 'strong'", "expected float or a Schedule (Linear)"],
        ),
        (
            f"--method BetaTCVAE --method.estimator exact {DATA} --steps 2",
            ["--method.estimator is 'exact'", "expected mws or mss"],
        ),
        (
            f"--method AdaGVAE --method.penalty TotalCorelation {DATA} --steps 2",
            ["--method.penalty", "did you mean TotalCorrelation?"],
        ),
        (
            f"--method AdaGVAE --method.penalty TotalCorrelation --method.penalty.delta 1 {DATA}",
            ["TotalCorrelation has no argument 'delta'", "beta, alpha, gamma, estimator"],
        ),
        (
            f"--method AdaGVAE --method.penalty.beta 1 {DATA} --steps 2",
            ["--method.penalty.beta needs --method.penalty NAME", "TotalCorrelation"],
        ),
        (
            f"--method BetaVAE --method.beta Linear --method.beta.start 0 {DATA} --steps 2",
            ["Linear needs --method.beta.end"],
        ),
        ("--method VAE --data Npz --steps 2", ["Npz needs --data.path"]),
        ("--method VAE --data Npz --data.path no.npz --steps 2", ["no file no.npz"]),
        ("--method VAE --data DSprits --steps 2", ["did you mean DSprites?"]),
        ("--method VAE --steps 2", ["--data NAME is needed"]),
        (f"{DATA} --steps 2", ["--method NAME is needed"]),
        (f"--method VAE {DATA}", ["--steps N is needed"]),
        (f"--method VAE {DATA} --steps many", ["--steps is 'many'", "a whole number"]),
        (f"--method VAE {DATA} --steps 0", ["steps", "positive integer", "0"]),
        (f"--method VAE {DATA} --steps 2 --batchsize 3", ["did you mean --batch_size?"]),
        (f"--method VAE {DATA} --step 2", ["no option --step", "did you mean --steps?"]),
        (f"--method VAE {DATA} --steps 2 --batch_size x", ["--batch_size is 'x'"]),
        (f"--method VAE {DATA} --steps 2 --precision 16", ["expected 32-true or bf16-mixed"]),
        (f"--method VAE {DATA} --steps 2 --logger tensrboard", ["did you mean tensorboard?"]),
        (f"--method VAE {DATA} --steps 2 --devices 0", ["--devices is 0"]),
        (f"--method VAE {DATA} --steps 2 --method.net", ["--method.net needs a value"]),
        (
            f"--method VAE {DATA} --steps 2 --method.net Burgess2018",
            ["have shape (7,)", "(C, 64, 64)"],
        ),
        (f"--method VAE {DATA} --steps 2 --config no.yaml", ["no file no.yaml"]),
        (f"--method VAE {DATA} --steps 2 -x", ["has no option -x"]),
        (f"--method VAE {DATA} --steps 2 --methd.beta 3", ["did you mean --method?"]),
        (f"--method VAE {DATA} --steps 2 --print_config=maybe", ["--print_config is 'maybe'"]),
        (f"--method VAE {DATA} --steps 2 surplus", ["--steps is 'surplus'"]),
        (f"--method VAE {DATA} --steps 2 --seed 2**70", ["--seed is '2**70'", "expected int"]),
        (f"--method VAE {DATA} --steps 2 --seed {2**70}", [f"seed is {2**70}", "2**64 - 1"]),
        (f"--method VAE {DATA} --steps 2 --seed -1", ["seed is -1", "from 0 to 2**64 - 1"]),
        (f"--method VAE {DATA} --steps 2 --method.seed -1", ["seed is -1"]),
        (f"--method VAE {DATA} --steps 2 --out ~nosuchuser/x", ["'~nosuchuser/x'", "./~nosuch"]),
        (f"--method VAE {DATA} --steps 2 --out small.npz", ["small.npz is no folder"]),
        ("--method VAE --data mine.npz --steps 2", ["no file mine.npz"]),
        ("--method VAE --data ~nosuchuser/a.npz --steps 2", ["'~nosuchuser/a.npz'"]),
        ("--method VAE --data no/photos --steps 2", ["no/photos"]),
        ("--method VAE --data small. --steps 2", ["'small.' is no dotted path"]),
        (
            f"--method VAE {DATA} --steps 2 --sampler PairsSampler --out pairs",
            ["Pairs", "Images"],
        ),
    ],
)
def test_a_mistake_in_train(untwine, folder, line, said):
    status, out, err = untwine(f"train {line} --no-progress")
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    for words in said:
        assert words in err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trian", "did you mean train?"),
        ("measure", "needs a run, a file, or module:function"),
        ("measure no.npz", "there is no file no.npz"),
        ("measure .", "is no run"),
        ("measure small.npz", "has no array 'codes'"),
        ("report", "needs a run's folder"),
        ("report nowhere", "nowhere is no run"),
        ("report ~nosuchuser/x", "a user who is not there"),
        ("measure ~nosuchuser/x", "a user who is not there"),
        ("measure ~nosuchuser/x.npz", "a user who is not there"),
        ("measure small.npz --factors factors --codes x --out s.txt", "ends in .csv, .json, .tex"),
        ("measure small.npz --factors factors --codes x --seed -1", "seed is -1"),
        ("report . --seed -1", "seed is -1"),
        ("diagnose", "needs a run's folder"),
        ("export", "needs a run's folder"),
        ("export runs/none --to tflite", "onnx"),
        ("push runs/none", "needs the repository, OWNER/NAME"),
        ("sample", "needs a run's folder"),
        ("sample runs/none --out s.txt", "ends in .png or .npy"),
        ("sample runs/none --like a=1 --condition b=2", "take one"),
        ("sample runs/none --set a=1 --between 1 2", "take one"),
        ("sample runs/none --rows 1 2", "give --set name=value"),
        ("report a b --out page.html --sensitive size", "pages of one run"),
        ("report a b --out page.html --labels 10", "pages of one run"),
        ("report a --labels 10 1", "--labels 1 is too few"),
        ("diagnose nowhere", "nowhere is no run"),
        ("methods BetaTCVEA", "did you mean BetaTCVAE?"),
        ("data DSprits", "did you mean DSprites?"),
    ],
)
def test_a_mistake_elsewhere(untwine, line, said):
    status, out, err = untwine(line)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert said in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [", "is no YAML"),
        ("just text", "holds no options"),
        ("stps: 3", "did you mean steps?"),
        ("method: {class_path: VAE, init_args: {bta: 3}}", "no hyper-parameter 'bta'"),
        ("method: {class_path: VAE, init_args: {latent_dim: wide}}", "latent_dim is 'wide'"),
        ("method: {class_path: m.M, init_args: {}, parts: custom}", "made by hand"),
        ("batch_size: big", "--batch_size is 'big'"),
        ("method: untwine.methods.VA", "method in spec.yaml: untwine.methods.VA: module"),
        ("method: {class_path: untwine.method.VAE}", "method in spec.yaml: untwine.method.VAE"),
        ("method: 5", "method in spec.yaml is 5: expected a class"),
        ("method: {class_path: VAE, init_args: [1]}", "method in spec.yaml: init_args is [1]"),
        ("method: {class_path: BetaVAE, init_args: {beta: m.M}}", "--method.beta is 'm.M'"),
        ("logger: {class_path: m.M}", "--logger is"),
        ("method: {class_path: VEA}", "method in spec.yaml: there is no Method 'VEA'"),
        ("method: {class_path: os.system}", "os.system is not a class that a spec may name"),
        (
            "method: {class_path: VAE, init_args: {net: {class_path: subprocess.Popen}}}",
            "subprocess.Popen is not a class that a spec may name",
        ),
    ],
)
def test_a_mistake_in_a_file(untwine, folder, text, said):
    (folder / "spec.yaml").write_text(text)
    status, _, err = untwine(f"train --config spec.yaml {DATA} --steps 2")
    assert status == 2
    assert len(err.splitlines()) == 1, err
    assert said in err


def test_a_traceback_is_there_for_who_wants_it(untwine, folder, monkeypatch):
    from untwine.settings.errors import UsageError

    with pytest.raises(UsageError, match="BetaTCVEA"):
        untwine("train --method BetaTCVEA --debug")
    monkeypatch.setenv("UNTWINE_DEBUG", "1")
    with pytest.raises(UsageError, match="BetaTCVEA"):
        untwine("train --method BetaTCVEA")


def test_an_error_that_nobody_foresaw_keeps_its_traceback(untwine, folder):
    (folder / "broken_of_the_user.py").write_text(
        "from untwine.methods import VAE\n"
        "class Broken(VAE):\n"
        "    def moves(self, batch, ctx):\n"
        "        yield from [].nothing\n"
    )
    line = f"train --method broken_of_the_user.Broken {DATA} --steps 2 --no-progress --out broken"
    with pytest.raises(AttributeError, match="nothing"):
        untwine(line)
