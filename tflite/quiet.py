"""The one place that silences converters; what goes wrong is an exception."""

import contextlib
import io
import logging as stdlib_logging
import warnings

from absl import logging


@contextlib.contextmanager
def quiet():
    """Hides what converters log, print and warn of, which is meant for their authors."""
    verbosity, level = logging.get_verbosity(), stdlib_logging.getLogger("tf2onnx").level
    logging.set_verbosity(logging.ERROR)
    stdlib_logging.getLogger("tf2onnx").setLevel(stdlib_logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        stdlib_logging.getLogger("tf2onnx").setLevel(level)
