"""Runs that travel: exports, bundles and hubs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch

from ..data.batches import Batch, Images
from ..data.outline import Outline, of_outline
from ..reading import expanded
from .bundle import read_bundle, write_bundle
from .card import card
from .export import Exported, Format, export_method
from .hub import publish, receive
from .portable import portable_files
from .run_read import RunRead
from .scores import kept

__all__ = ["TravellingRun"]


class TravellingRun(RunRead):
    """A run that can be written for other machines and programs, and read from there."""

    @classmethod
    def from_bundle(cls, path: str | Path, out: str | Path, **how: Any) -> Self:
        """Unpacks a bundle into a new folder and loads the run from there; see `bundle`.

        Args:
            path: The .zip.
            out: The folder.
            **how: As `load` takes it.

        Raises:
            FileExistsError: if the folder holds something already.
            ValueError: for what is no bundle, and for what `load` refuses.
        """
        read_bundle(expanded(path), expanded(out))
        return cls.load(out, **how)

    @classmethod
    def from_hub(
        cls,
        repository: str,
        out: str | Path | None = None,
        *,
        revision: str | None = None,
        token: str | None = None,
        **how: Any,
    ) -> Self:
        """Puts a run that was published into a new folder and loads it; see `push_to_hub`.

        Args:
            repository: ``owner/name`` on a hub (that of the environment's ``HF_ENDPOINT``), or the
                folder of a clone.
            out: The folder; by default ``runs/name``.
            revision: A branch, a tag or a commit.
            token: As huggingface_hub takes it.
            **how: As `load` takes it; ``trust`` names packages whose code the spec may name, which
                otherwise names classes of untwine alone.

        Raises:
            ImportError: without huggingface_hub.
            FileExistsError: if the folder holds something already.
            ValueError: for a repository without a run, and for what `load` refuses.
        """
        name = Path(repository.rstrip("/")).name
        folder = Path("runs") / name if out is None else expanded(out)
        receive(repository, folder, revision=revision, token=token)
        return cls.load(folder, **how)

    def export(self, to: Format, out: str | Path) -> Exported:
        """Writes encoder and decoder as ONNX, or as programs of torch.export, for any batch size.

        The encoder takes ``x`` (of several modalities, each by its name, with masks
        ``name_present``) and, where the data has covariates, ``c``; it gives codes ``z`` as
        `represent` does. The decoder takes ``z``, ``c`` and, where the code does not hold them,
        classes ``y``; it gives means. Both are compared with torch before they are written;
        ``description.json`` has shapes and types.

        Args:
            to: ``"onnx"`` or ``"torch"``.
            out: The folder.

        Raises:
            ValueError: for another format, and for a part that cannot be exported or that deviates
                by more than 1e-4.
            ImportError: without onnx, onnxscript and onnxruntime.
        """
        return export_method(self.method, self._example(), to, expanded(out))

    def bundle(self, path: str | Path) -> Path:
        """Writes the run into one .zip, which opens elsewhere without its data.

        It holds spec, weights, log, scores and report, no checkpoints and no data. A method that
        was made by hand is needed again to open it.

        Args:
            path: The .zip.

        Returns:
            Its path.
        """
        write_bundle(self._portable(), expanded(path))
        return expanded(path)

    def push_to_hub(
        self,
        repository: str,
        *,
        license: str | None = None,
        tags: Sequence[str] = (),
        private: bool = False,
        token: str | None = None,
    ) -> str:
        """Publishes the run, with a model card made from it; `from_hub` loads it.

        Args:
            repository: ``owner/name``, which is made if there is none.
            license: As the hub names it, such as ``"mit"``; none is stated otherwise.
            tags: Beside those that every card has.
            private: Of a repository that is made.
            token: As huggingface_hub takes it.

        Returns:
            The address of the repository.

        Raises:
            ImportError: without huggingface_hub.
        """
        text = self.card(repository, license=license, tags=tags)
        files = {"README.md": text.encode(), **self._portable()}
        return publish(files, repository, private=private, token=token)

    def card(
        self, name: str = "OWNER/NAME", *, license: str | None = None, tags: Sequence[str] = ()
    ) -> str:
        """The run's model card in Markdown; see `push_to_hub`."""
        scores = None if self.path is None else kept(self.path, self.weights_digest())
        return card(
            self.spec, self.method, self.steps, scores, name=name, license=license, tags=tags
        )

    def _portable(self) -> dict[str, bytes]:
        return portable_files(self._folder, self.spec, self.method, self.steps, self.stopped)

    def _example(self, count: int = 8) -> Batch:
        """Some observations; numbers at random where the data is gone."""
        try:
            data = self.data
        except (OSError, ValueError):
            about = self.spec["method"].get("built_for")
            if about is None:
                raise
            data = of_outline(about)
        batch = data.batch(range(min(count, len(data))))
        if isinstance(data, Outline):
            uniform = torch.rand(batch.x.shape, generator=torch.Generator().manual_seed(0))
            return Images(uniform, batch.c)
        return batch
