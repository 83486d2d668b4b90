"""An error gets the name of the flag that its value came from."""

import pytest

from tinybert_tf.errors import InputError, naming


def test_an_error_of_a_loader_is_named_after_the_flag():
    with pytest.raises(InputError, match=r"^teacher: got nowhere; expected a model$"), naming("teacher"):
        raise InputError("preset", "nowhere", "a model")


def test_an_error_of_another_argument_keeps_its_name():
    with pytest.raises(InputError, match=r"^TINYBERT_HOME: got"), naming("teacher"):
        raise InputError("TINYBERT_HOME", "~nobody", "a folder")


def test_any_name_can_be_replaced():
    with pytest.raises(InputError, match=r"^preset: got"), naming("preset", instead_of="vocabulary"):
        raise InputError("vocabulary", "no file", "a vocab.txt")


def test_other_errors_pass():
    with pytest.raises(OSError, match="disk"), naming("teacher"):
        raise OSError("disk")
