"""Runs on a model hub: published by huggingface_hub, and read from there into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ..reading import check_within
from .portable import PORTABLE, check_names, new_folder, write_portable

__all__ = ["publish", "receive"]


def publish(
    files: Mapping[str, bytes],
    repository: str,
    *,
    private: bool = False,
    token: str | None = None,
    message: str = "A run of untwine",
) -> str:
    """Uploads files as one commit, into a repository that is made if there is none.

    Args:
        files: By their names there.
        repository: ``owner/name``.
        private: Of a repository that is made.
        token: As huggingface_hub takes it; by default what it finds.
        message: Of the commit.

    Returns:
        The address of the repository.

    Raises:
        ImportError: without huggingface_hub.
    """
    hub = _client()
    api = hub.HfApi(token=token)
    address = api.create_repo(repository, private=private, exist_ok=True, repo_type="model")
    operations = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
    api.create_commit(address.repo_id, operations, commit_message=message, repo_type="model")
    return str(address)


def receive(
    repository: str, out: Path, *, revision: str | None = None, token: str | None = None
) -> None:
    """Puts the files of a run into a new folder; what else is in the repository stays there.

    Args:
        repository: ``owner/name``, or the folder of a clone.
        out: The new folder.
        revision: A branch, a tag or a commit.
        token: As huggingface_hub takes it.

    Raises:
        ImportError: without huggingface_hub.
        FileExistsError: if the folder holds something already.
        ValueError: for a repository without a run, and for a revision of a folder.
    """
    folder = Path(repository)
    if not folder.is_dir():
        names = list(PORTABLE)
        hub = _client()
        folder = Path(
            hub.snapshot_download(repository, revision=revision, token=token, allow_patterns=names)
        )
    elif revision is not None:
        raise ValueError(f"revision is {revision!r}, but {repository} is a folder: check it out")
    else:
        for name in PORTABLE:
            check_within(folder / name, folder, "a clone holds its files itself")
    there = {name: folder / name for name in PORTABLE if (folder / name).is_file()}
    check_names(list(there), repository)
    with new_folder(out) as beside:
        write_portable(there, beside)


def _client() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError("hubs need huggingface_hub: pip install 'untwine[hub]'") from error
    return huggingface_hub
