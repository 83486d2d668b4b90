"""A better start than random: the student's embeddings from a low-rank factorisation of the teacher's."""

import numpy as np

from tinybert_tf.distillation.distiller import TinyBertDistiller

_TABLES = ("token_embedding", "position_embedding", "segment_embedding")


def initialize_from_teacher(distiller: TinyBertDistiller, batches: list[dict]) -> float:
    """Sets the student's embedding tables and the distiller's projections from the teacher's embeddings.

    The teacher's tables (token, position, segment) are written in the basis of the leading principal directions
    of the sums that its layer norm sees on real text, with the token table itself counted in at equal weight, for
    tokens that the text lacks. (The token table's own directions are worse than random ones: rare tokens rule them.)
    Then W of the embedding loss is the least-squares map from the student's embedding output to the teacher's, and
    W of the hidden layers start from it too, because all layers of a BERT write to one residual stream.

    Args:
        distiller: with an untrained student, not wider than the teacher.
        batches: real text, as the distiller takes it: some tens of thousands of tokens.

    Returns:
        The share of the squared norm of those sums that the student's directions keep.
    """
    theirs, ours = (getattr(m, "encoder", m).embeddings for m in (distiller.teacher, distiller.student))
    tables = {name: np.asarray(getattr(theirs, name).embeddings, np.float64) for name in _TABLES}
    sums = np.concatenate([_sums(tables, batch) for batch in batches])
    token_table = tables["token_embedding"]
    second_moment = sums.T @ sums / len(sums) + token_table.T @ token_table / len(token_table)
    basis = np.linalg.eigh(second_moment)[1][:, ::-1][:, : distiller.student.config.hidden_dim]
    for name, table in tables.items():
        target = getattr(ours, name).embeddings
        values = np.asarray(target).copy()
        rows = min(len(values), len(table))
        values[:rows, : basis.shape[1]] = table[:rows] @ basis
        target.assign(values)
    projection = _least_squares(ours, theirs, batches)
    for layer in distiller.projections.values():
        layer.kernel.assign(projection)
    return float(np.square(sums @ basis).sum() / np.square(sums).sum())


def _sums(tables: dict[str, np.ndarray], batch: dict) -> np.ndarray:
    """Token + position + segment embeddings of every valid token, `[tokens, width]`."""
    token, position, segment = (tables[name] for name in _TABLES)
    ids, segments = np.asarray(batch["token_ids"]), np.asarray(batch["segment_ids"])
    sums = token[ids] + position[: ids.shape[1]] + segment[segments]
    return sums[np.asarray(batch["padding_mask"], bool)]


def _least_squares(ours, theirs, batches: list[dict]) -> np.ndarray:
    """The matrix that maps one embedding layer's output to another's with the least squared error."""
    gram, cross = 0.0, 0.0
    for batch in batches:
        valid = np.asarray(batch["padding_mask"], bool)
        x, y = (
            np.asarray(layer(batch["token_ids"], batch["segment_ids"]), np.float64)[valid] for layer in (ours, theirs)
        )
        gram, cross = gram + x.T @ x, cross + x.T @ y
    ridge = 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram))
    return np.linalg.solve(gram + ridge, cross)
