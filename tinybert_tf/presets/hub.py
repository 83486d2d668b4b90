"""Uploads to the Hugging Face hub, through its own library."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tinybert_tf.errors import InputError


def check_access(repository: str) -> None:
    """Checks a repository's name and the user's token, before work that ends with an upload.

    Raises:
        InputError: The name is not USER/NAME, the hub cannot be reached, or does not know the token.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import validate_repo_id

    def check():
        validate_repo_id(repository)
        if repository.count("/") != 1:
            raise ValueError("a name without its user or organization")
        HfApi().whoami()

    _asked(repository, check)


def push(files: Mapping[str, Path | str], repository: str, private: bool = False) -> str:
    """Uploads files as one commit, to a repository that is made if it does not exist; other files there stay.

    Args:
        files: A path, or a text, by its name in the repository.
        repository: Name of the repository, USER/NAME.
        private: Whether a new repository is private.

    Returns:
        The repository's address.

    Raises:
        InputError: The hub refuses the upload, or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    def upload():
        api = HfApi()
        address = api.create_repo(repository, private=private or None, exist_ok=True)
        operations = [
            CommitOperationAdd(name, content.encode() if isinstance(content, str) else str(content))
            for name, content in files.items()
        ]
        api.create_commit(repository, operations, commit_message="Upload a student of tinybert_tf")
        return str(address)

    return _asked(repository, upload)


def _asked(repository: str, ask: Callable):
    """Returns what a function returns; the hub, the HTTP client and the file system each raise their own errors."""
    try:
        return ask()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        expected = "USER/NAME, which a token of yours may write to (hf auth login, or HF_TOKEN)"
        raise InputError("push_to_hub", f"{repository} ({reason})", expected) from None
