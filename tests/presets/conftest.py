"""A tiny keras-hub model, and a machine without a network."""

import socket

import pytest

from tests.conftest import PIECES, randomize


@pytest.fixture
def folder(folder):
    """A folder without `tokenizer.json`, as older ones are: its vocabulary and its settings can be changed by hand."""
    (folder / "tokenizer.json").unlink()
    return folder


@pytest.fixture
def backbone():
    import keras_hub

    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=30,
        num_layers=2,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        dropout=0.2,
        max_sequence_length=16,
    )
    randomize(backbone)
    return backbone


@pytest.fixture
def hub_tokenizer():
    import keras_hub

    return keras_hub.models.BertTokenizer(vocabulary=PIECES, lowercase=False)


@pytest.fixture
def hub_folder(backbone, hub_tokenizer, tmp_path):
    backbone.save_to_preset(tmp_path / "hub")
    hub_tokenizer.save_to_preset(tmp_path / "hub")
    return tmp_path / "hub"


@pytest.fixture
def no_network(monkeypatch):
    """Connecting to anything but this machine fails at once, as without a network."""

    def getaddrinfo(host, *args, original=socket.getaddrinfo, **kwargs):
        if host in ("127.0.0.1", "localhost"):
            return original(host, *args, **kwargs)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
