"""What MediaPipe reads of a file, read back with flatbuffers' generic reader."""

import flatbuffers.number_types as number
import flatbuffers.table
import numpy as np
import pytest

from tinybert_tf.tflite.convert import convert

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")


class Table(flatbuffers.table.Table):
    """A table of a flatbuffer; fields by their places in the schema."""

    def at(self, place):
        return self.Offset(4 + 2 * place)

    def string(self, place):
        return self.String(self.at(place) + self.Pos).decode()

    def tables(self, place):
        start, count = self.Vector(self.at(place)), self.VectorLen(self.at(place))
        return [Table(self.Bytes, self.Indirect(start + 4 * i)) for i in range(count)]

    def table(self, place):
        return Table(self.Bytes, self.Indirect(self.at(place) + self.Pos))

    def byte(self, place):
        return self.Get(number.Uint8Flags, self.at(place) + self.Pos)

    def float(self, place):
        return self.Get(number.Float32Flags, self.at(place) + self.Pos)


def parsed_with_metadata(model):
    """The model's parts, and the table at the root of its metadata."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    (place,) = [entry.buffer for entry in parsed.metadata if entry.name == b"TFLITE_METADATA"]
    buffer = bytes(parsed.buffers[place].data)
    assert buffer[4:8] == b"M001"
    return parsed, Table(buffer, int.from_bytes(buffer[:4], "little"))


def test_the_metadata_name_what_mediapipe_wants(make_classifier):
    parsed, root = parsed_with_metadata(convert(make_classifier(), "int8"))
    assert root.string(0) == "tinybert_tf student" and "int8" in root.string(1)
    (graph,) = root.tables(3)
    ours = [parsed.subgraphs[0].tensors[i].name.decode() for i in parsed.subgraphs[0].inputs]
    theirs = {"ids": "token_ids", "segment_ids": "segment_ids", "mask": "padding_mask"}
    assert [f"serving_default_{theirs[tensor.string(0)]}:0" for tensor in graph.tables(2)] == ours
    (output,) = graph.tables(3)
    assert output.string(0) == "probabilities"
    assert [(file.string(0), file.byte(2)) for file in output.tables(6)] == [("labels.txt", 2)]
    assert not output.at(4)  # every class is given
    (unit,) = graph.tables(5)
    assert unit.byte(0) == 4
    assert [(file.string(0), file.byte(2)) for file in unit.table(1).tables(0)] == [("vocab.txt", 5)]


def test_a_threshold_is_mediapipes_score_threshold(make_classifier):
    model = convert(make_classifier(num_layers=1), "float32", abstain_below=0.83)
    (output,) = parsed_with_metadata(model)[1].tables(3)[0].tables(3)
    (unit,) = output.tables(4)
    assert unit.byte(0) == 3 and unit.table(1).float(0) == np.float32(0.83)
