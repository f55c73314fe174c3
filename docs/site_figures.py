"""The gallery: sphinx-gallery runs the scripts of docs/figures; their figures are not pyplot's."""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst
from sphinx_gallery.sorting import ExplicitOrder

ORDER = [
    "traversal",
    "training",
    "mutual_information",
    "intervals",
    "elbo",
    "edits",
    "interventions",
    "clusters",
    "compare",
    "worlds",
]


class OwnFigures:
    """Saves the figures that a block of a script has made and holds by a name.

    `untwine.plots` returns figures that pyplot does not know. Those of a loop are found in the
    order in which they were made, where a list holds them.
    """

    def __repr__(self):  # the build is repeated where the configuration has changed
        return "OwnFigures()"

    def __call__(self, block, block_vars, gallery_conf):
        names = block_vars["example_globals"]
        seen = names.setdefault("__seen__", set())
        held = [v for value in list(names.values()) for v in _each(value)]
        paths = []
        for figure in held:
            if isinstance(figure, Figure) and id(figure) not in seen:
                seen.add(id(figure))
                paths.append(next(block_vars["image_path_iterator"]))
                figure.savefig(paths[-1], dpi=100, bbox_inches="tight")
        return figure_rst(paths, gallery_conf["src_dir"])


def _each(value):
    return value if isinstance(value, list) else [value]


SETTINGS = {
    "examples_dirs": ["docs/figures"],
    "gallery_dirs": ["docs/made"],
    "image_scrapers": (OwnFigures(),),
    "within_subsection_order": ExplicitOrder([f"plot_{name}.py" for name in ORDER]),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "run_stale_examples": True,  # a script that stands still may draw with a library that does not
    "show_signature": False,
    "write_computation_times": False,
}
