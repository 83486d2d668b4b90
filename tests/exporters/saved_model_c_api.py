"""Runs a SavedModel's text signature through TensorFlow's C API, as a server in C would: no Python package is imported.

    python saved_model_c_api.py SITE_PACKAGES SAVED_MODEL INPUT_OP OUTPUT_OP OUTPUT_NUMBER TEXT...

Prints the float output `[texts, classes]` as JSON.
"""

import ctypes as c
import json
import sys
from pathlib import Path

TF_FLOAT, TF_STRING, TSTRING_BYTES = 1, 7, 24
P = c.c_void_p


class Output(c.Structure):
    _fields_ = (("op", P), ("index", c.c_int))


def main(site, folder, input_op, output_op, output_number, *texts):
    site = Path(site)
    c.CDLL(str(site / "tensorflow" / "libtensorflow_framework.so.2"), mode=c.RTLD_GLOBAL)
    tf = c.CDLL(str(site / "tensorflow" / "libtensorflow_cc.so.2"), mode=c.RTLD_GLOBAL)
    pointers = ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "LoadLibrary", "Message")
    for name in (*pointers, "AllocateTensor", "TensorData", "GraphOperationByName"):
        getattr(tf, f"TF_{name}").restype = P
    tf.TF_Dim.restype = c.c_int64
    status = P(tf.TF_NewStatus())

    def check():
        if tf.TF_GetCode(status):
            sys.exit(c.string_at(tf.TF_Message(status)).decode())

    for ops in ("_fast_bert_normalizer", "_fast_wordpiece_tokenizer"):
        tf.TF_LoadLibrary(str(site / "tensorflow_text" / "python" / "ops" / f"{ops}.so").encode(), status)
        check()
    graph, tags = P(tf.TF_NewGraph()), (c.c_char_p * 1)(b"serve")
    options = P(tf.TF_NewSessionOptions())
    session = P(tf.TF_LoadSessionFromSavedModel(options, None, folder.encode(), tags, 1, graph, None, status))
    check()
    tensor = P(tf.TF_AllocateTensor(TF_STRING, (c.c_int64 * 1)(len(texts)), 1, c.c_size_t(TSTRING_BYTES * len(texts))))
    for i, text in enumerate(texts):
        place = P(tf.TF_TensorData(tensor) + TSTRING_BYTES * i)
        tf.TF_StringInit(place)
        tf.TF_StringCopy(place, text.encode(), c.c_size_t(len(text.encode())))
    feed = Output(tf.TF_GraphOperationByName(graph, input_op.encode()), 0)
    fetch, values = Output(tf.TF_GraphOperationByName(graph, output_op.encode()), int(output_number)), (P * 1)()
    run = (c.byref(feed), c.byref(tensor), 1, c.byref(fetch), values, 1)
    tf.TF_SessionRun(session, None, *run, None, 0, None, status)
    check()
    result = P(values[0])
    rows, classes = (tf.TF_Dim(result, i) for i in (0, 1))
    numbers = c.cast(tf.TF_TensorData(result), c.POINTER(c.c_float))
    print(json.dumps([[numbers[classes * i + j] for j in range(classes)] for i in range(rows)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
