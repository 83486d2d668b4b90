"""Writes `torch_zip.bin` and `torch_stream.bin`: one tensor in both forms of PyTorch. Run once, with PyTorch 2.15:

python -m tests.golden.make_torch
"""

import collections
from pathlib import Path

import torch

HERE = Path(__file__).parent
tensors = collections.OrderedDict(a=torch.arange(6.0).reshape(2, 3).T)
torch.save(tensors, HERE / "torch_zip.bin")
torch.save(tensors, HERE / "torch_stream.bin", _use_new_zipfile_serialization=False)
