"""Errors that a user can mend, in one line each."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """An argument, a flag or a file that cannot be used: what was got and what was expected.

    Args:
        argument: Name of the argument; the command line puts `--` before it.
        got: What was found, and where.
        expected: What would have been right.
    """

    def __init__(self, argument: str, got: object, expected: str):
        self.argument, self.got, self.expected = argument, got, expected
        super().__init__(f"{argument}: got {got}; expected {expected}")


@contextlib.contextmanager
def naming(argument: str, instead_of: str = "preset") -> Iterator[None]:
    """Gives an error the name of the flag that its value came from.

    Loaders know a model's name as `preset`, but the user gave it as `--teacher`:

    >>> with naming("teacher"):
    ...     BertEncoder.from_preset("no/such/folder")
    InputError: teacher: got 'no/such/folder', neither a folder nor a known name; expected …

    Args:
        argument: Name of the flag.
        instead_of: Name that is replaced; errors of any other argument pass as they are.
    """
    try:
        yield
    except InputError as error:
        if error.argument != instead_of:
            raise
        raise InputError(argument, error.got, error.expected) from error
