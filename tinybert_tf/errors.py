"""Errors that a user can mend, told in one line."""


class InputError(ValueError):
    """An argument, a flag or a file that cannot be used: what was got and what was expected.

    Args:
        argument: name of the argument; the command line puts `--` before it.
        got: what was found, and where.
        expected: what would have been right.
    """

    def __init__(self, argument: str, got: object, expected: str):
        self.argument, self.got, self.expected = argument, got, expected
        super().__init__(f"{argument}: got {got}; expected {expected}")
