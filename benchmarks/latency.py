"""How fast and how large is the student, beside BERT-base, the teacher, and its own exports by other libraries?

All rows use one thread. The rows take turns, each time in a fresh process: load, first answer, then lengths of 16, 32,
64 and 128 tokens, then real reviews from text to answer (tokenizer included). BERT-base and the `--shapes` have random
weights, which do not change the speed. `NAME:FIELD=VALUE` changes a field of a shape's `EncoderConfig`, as in
`tinybert_4l_312:activation=relu`.

    python benchmarks/latency.py --student=runs/task --folder=runs/latency \\
        --parity=runs/export/parity.json --plot=docs/images/latency.png --shapes=tinybert_2l_312,tinybert_4l_256_8h
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

LENGTHS = (16, 32, 64, 128)
ROUNDS, SECONDS = 3, 1.0  # processes per row, and how long a process repeats each length
REVIEWS = 300
NAMES = {
    "bert_base_hub.tflite": "BERT-base, keras-hub's export, float32",
    "bert_base.tflite": "BERT-base, phone graph, float32",
    "mpnet.tflite": "MPNet-base (teacher), phone graph, float32",
    "minilm.tflite": "MiniLM-L6 (teacher), phone graph, float32",
    "student_hub.tflite": "student, keras-hub's export, float32",
    "student_hub_int8.tflite": "student, keras-hub's export, int8",
    "student.onnx": "student, ONNX Runtime, float32",
    "student_int8.onnx": "student, ONNX Runtime, dynamic int8",
    "student_float32.tflite": "student, phone graph, float32",
    "student_int8.tflite": "student, phone graph, int8",
    "student_int8_pq.tflite": "student, phone graph, int8_pq",
    "student_int4.tflite": "student, phone graph, int4 table",
}


def build(student: str, shapes: dict[str, str], folder: Path) -> None:
    """Writes every missing file; `shapes` are file names and the shapes of their students."""
    import keras
    import tensorflow as tf
    from onnxruntime.quantization import quantize_dynamic

    from tinybert_tf.configs import STUDENT_PRESETS, EncoderConfig
    from tinybert_tf.models import BertClassifier, BertEncoder
    from tinybert_tf.models.encoder import encoder_inputs
    from tinybert_tf.tflite.archive import append_files
    from tinybert_tf.tflite.convert import convert

    folder.mkdir(parents=True, exist_ok=True)
    student = BertClassifier.from_preset(student)
    tokenizer, labels = student.tokenizer, student.labels
    settings = {"labels": labels, "sequence_length": 128, "fixed_length": False, "lowercase": tokenizer.lowercase}
    settings |= {"signature": "serving_default", "output": "probabilities"}
    base = EncoderConfig(12, 768, 12, 3072, vocabulary_size=len(tokenizer.vocabulary), activation="gelu")

    def ours(name, classifier, variant):
        if not (folder / name).exists():
            model = convert(classifier, variant, 128)
            (folder / name).write_bytes(append_files(model, tokenizer.vocabulary, labels, settings))

    def hub(name, config, optimizations=()):
        import keras_hub

        if (folder / name).exists():
            return
        shape = {key: getattr(config, key) for key in ("num_layers", "num_heads", "hidden_dim", "intermediate_dim")}
        backbone = keras_hub.models.BertBackbone(config.vocabulary_size, max_sequence_length=512, **shape)
        model = keras_hub.models.BertTextClassifier(backbone, num_classes=len(labels), activation="softmax")
        model.export(str(folder / name), format="litert", optimizations=list(optimizations), verbose=False)

    ours("bert_base.tflite", BertClassifier(BertEncoder.from_shape(base, tokenizer=tokenizer), labels), "float32")
    ours("mpnet.tflite", BertClassifier.from_preset("mpnet_base", labels=labels), "float32")
    ours("minilm.tflite", BertClassifier.from_preset("minilm_l6", labels=labels), "float32")
    for variant in ("float32", "int8", "int8_pq", "int4"):
        ours(f"student_{variant}.tflite", student, variant)
    for name, shape in shapes.items():
        preset, *fields = shape.split(":")
        fields = {key: int(value) if value.isdecimal() else value for key, value in (f.split("=") for f in fields)}
        encoder = BertEncoder.from_shape(STUDENT_PRESETS[preset], tokenizer=tokenizer, **fields)
        ours(name, BertClassifier(encoder, labels), "int8")
    hub("bert_base_hub.tflite", base)
    hub("student_hub.tflite", student.config)
    hub("student_hub_int8.tflite", student.config, [tf.lite.Optimize.DEFAULT])
    if not (folder / "student.onnx").exists():
        inputs = encoder_inputs()
        model = keras.Model(inputs, keras.layers.Softmax(name="probabilities")(student(inputs)))
        model(tokenizer(["Keras exports what has been called."]))
        model.export(folder / "student.onnx", format="onnx", verbose=False)
    if not (folder / "student_int8.onnx").exists():
        quantize_dynamic(folder / "student.onnx", folder / "student_int8.onnx")


def load(file: Path):
    """Returns a function that runs the file once, in one thread, on the ids of a row."""
    import numpy as np

    def tensors(ids):
        ids = np.array([ids], np.int32)
        return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}

    if file.suffix == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        return lambda ids: session.run(None, tensors(ids))
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=1)
    run = interpreter.get_signature_runner()
    dtypes = {name: detail["dtype"] for name, detail in run.get_input_details().items()}
    return lambda ids: run(**{name: value.astype(dtypes[name]) for name, value in tensors(ids).items()})


def measure(file: Path, vocabulary: Path, reviews: list[str]) -> dict:
    """Returns what one process measures, in milliseconds: cold start, each length, and reviews from text."""
    from tinybert_tf.tflite.tokenizer import bert_tokenizer

    pieces = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    tokenizer = bert_tokenizer(pieces, lowercase=True, sequence_length=128)
    start = time.perf_counter()
    run = load(file)
    run(tokenizer.encode("A fine film.").ids)
    found = {"cold": 1e3 * (time.perf_counter() - start)}
    for length in LENGTHS:
        ids = list(range(2000, 2000 + length))
        run(ids), run(ids)
        times, end = [], time.perf_counter() + SECONDS
        while len(times) < 5 or time.perf_counter() < end:
            start = time.perf_counter()
            run(ids)
            times.append(time.perf_counter() - start)
        found[str(length)] = 1e3 * statistics.median(times)
    start, count = time.perf_counter(), 0
    for text in reviews:
        run(tokenizer.encode(text).ids)
        count += 1
        if time.perf_counter() - start > 4 * SECONDS:
            break
    found["reviews"] = 1e3 * (time.perf_counter() - start) / count
    return found


def cold_start(file: Path, cache: str) -> float:
    """Returns the milliseconds from opening a file to its first answer, by CompiledModel with a weight cache."""
    import numpy as np
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.cpu_options import CpuOptions
    from ai_edge_litert.options import Options

    ids = np.arange(2000, 2006, dtype=np.int32)
    tensors = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
    start = time.perf_counter()
    options = Options(cpu_options=CpuOptions(num_threads=1, xnnpack_weight_cache_path=cache))
    model = CompiledModel.from_file(str(file), options=options)
    names = model.get_signature_by_index(0)["inputs"]
    for name in names:
        model.resize_input_tensor_by_name("serving_default", name, [1, len(ids)])
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    for name, buffer in zip(names, inputs):
        buffer.write(tensors[name])
    model.run_by_index(0, inputs, outputs)
    return 1e3 * (time.perf_counter() - start)


def _cold_starts(folder: Path, command: list[str]) -> list[str]:
    """Returns a line per file: medians of cold starts in fresh processes, without and with a weight cache."""
    lines = []
    for name in ("student_float32.tflite", "student_int8.tflite"):
        cache = folder / f"{name}.cache"
        cache.unlink(missing_ok=True)
        times = {"": [], str(cache): []}
        for turn in range(3 * ROUNDS):
            for path, own in times.items():
                measured = [*command, f"--cold_start={folder / name}", f"--cache={path}"]
                done = subprocess.run(measured, capture_output=True, check=True, text=True)
                if turn:  # the first one writes the cache
                    own.append(json.loads(done.stdout.splitlines()[-1]))
        without, cached = (statistics.median(own) for own in times.values())
        lines.append(f"{NAMES[name]}: {without:.1f}, {cached:.1f}; {cache.stat().st_size / 1e6:.1f} MB")
    return lines


def table(found: dict[str, list[dict]], names: dict[str, str], folder: Path) -> list[str]:
    """Returns a Markdown table of medians over processes, their spread, sizes, and how much slower BERT-base is."""
    columns = [*map(str, LENGTHS), "reviews", "cold"]
    base = found["bert_base_hub.tflite"]
    slowest, largest = statistics.median(r["128"] for r in base), (folder / "bert_base_hub.tflite").stat().st_size
    lines = [
        "| one thread, ms | " + " | ".join(columns) + " | MB | x BERT-base: at 128, reviews, size |",
        "| --- |" + " --- |" * (len(columns) + 2),
    ]
    for name, rounds in found.items():
        cells = []
        for column in columns:
            values = sorted(r[column] for r in rounds)
            cells.append(f"{statistics.median(values):.3g} ({values[0]:.3g}-{values[-1]:.3g})")
        size = (folder / name).stat().st_size
        ratios = [slowest / statistics.median(r[column] for r in rounds) for column in ("128", "reviews")]
        ratios = f"{ratios[0]:.1f}, {ratios[1]:.0f}, {largest / size:.1f}"
        lines.append(f"| {names[name]} | " + " | ".join(cells) + f" | {size / 1e6:.1f} | {ratios} |")
    return lines


def plot(found: dict[str, list[dict]], folder: Path, accuracies: dict[str, float], file: Path) -> None:
    """Draws one bar per row: milliseconds per review, logarithmic; beside it the size and, if known, the accuracy."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.6, 4.2))
    for place, name in enumerate(reversed(found)):
        milliseconds = statistics.median(r["reviews"] for r in found[name])
        own = "phone" in NAMES[name] and name.startswith("student")
        axes.barh(place, milliseconds, color="#225588" if own else "#bbbbbb", height=0.66)
        text = f"{milliseconds:.3g} ms, {(folder / name).stat().st_size / 1e6:.3g} MB"
        accuracy = accuracies.get(name.removeprefix("student_").removesuffix(".tflite")) if own else None
        text += f", {100 * accuracy:.1f} % correct" if accuracy else ""
        axes.annotate(text, (milliseconds, place), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(range(len(found)), [NAMES[name] for name in reversed(found)], fontsize=8.5)
    axes.set(xscale="log", xlim=(0.1, 400), xlabel="a movie review from text to answer, ms, one thread")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="runs/task", help="a classifier of the movie reviews")
    parser.add_argument("--folder", type=Path, default=Path("runs/latency"), help="folder for the measured files")
    parser.add_argument("--parity", type=Path, help="parity.json of --stage=export, for accuracies in the plot")
    parser.add_argument("--shapes", default="", help="other shapes of students to measure in int8, comma-separated")
    parser.add_argument("--plot", type=Path, help="PNG file to draw the table in")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cold_start", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    vocabulary, reviews = options.folder / "vocab.txt", options.folder / "reviews.json"
    if options.measure:
        print(json.dumps(measure(options.measure, vocabulary, json.loads(reviews.read_text()))))
        return
    if options.cold_start:
        print(json.dumps(cold_start(options.cold_start, options.cache)), flush=True)
        os._exit(0)  # at a normal exit LiteRT prints to standard output
    command = [sys.executable, __file__, f"--folder={options.folder}"]
    shapes = {f"{shape}.tflite": shape for shape in filter(None, options.shapes.split(","))}
    names = NAMES | {name: f"{shape}, phone graph, int8" for name, shape in shapes.items()}
    if not all((options.folder / name).exists() for name in (*names, reviews.name)):
        from tinybert_tf.data.tasks import load_task
        from tinybert_tf.models import BertClassifier

        build(options.student, shapes, options.folder)
        BertClassifier.from_preset(options.student).tokenizer.save(vocabulary)
        reviews.write_text(json.dumps(load_task("movie_reviews").splits["test"].texts[:REVIEWS]))
    results = options.folder / "latency.json"  # delete it to measure again
    if not results.exists():
        found = {name: [] for name in names}
        for turn in range(ROUNDS):
            for name in names:
                print(f"round {turn + 1} of {ROUNDS}: {names[name]}", file=sys.stderr)
                done = subprocess.run([*command, f"--measure={options.folder / name}"], capture_output=True, check=True)
                found[name].append(json.loads(done.stdout))
        results.write_text(json.dumps(found))
    found = json.loads(results.read_text())
    if found.keys() != names.keys():
        raise SystemExit(f"{results} has other rows; delete it to measure again")
    caches = _cold_starts(options.folder, command)
    packages = ", ".join(f"{p} {version(p)}" for p in ("ai-edge-litert", "onnxruntime", "keras-hub", "tensorflow"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {packages}; {ROUNDS} processes per row\n")
    print("\n".join(table(found, names, options.folder)))
    print("\nOpening a file, CompiledModel, ms: without and with XNNPACK's weight cache, MB of the cache")
    print("\n".join(caches))
    if options.plot:
        files = json.loads(options.parity.read_text())["files"].values() if options.parity else ()
        found = {name: found[name] for name in NAMES}
        plot(found, options.folder, {row["variant"]: row["metrics"]["accuracy"] for row in files}, options.plot)


if __name__ == "__main__":
    main()
