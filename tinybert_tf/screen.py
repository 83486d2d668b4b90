"""What native code and other processes print to standard error."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stderr_held_back(is_shown: Callable[[BaseException], bool] = lambda error: True) -> Iterator[None]:
    """Hides what the process, its native code and its children print to standard error.

    Args:
        is_shown: Function of the error with which the block ends; whether what was hidden is shown then after all.
    """
    with tempfile.TemporaryFile() as held:
        screen = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if is_shown(error):
                held.seek(0)
                os.write(screen, held.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)
