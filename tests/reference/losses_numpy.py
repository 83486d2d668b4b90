"""TinyBERT's losses as plain loops in float64, written from the paper (arXiv 1909.10351v5, section 3.1).

It shares nothing with the package. Sentences are averaged over their own tokens first; `padding_mask` holds 1 for a
token and 0 for padding. Every function returns one number per sentence.
"""

import math

import numpy as np


def attention_loss(student, teacher, padding_mask):
    """Equation 7: the mean over heads of MSE(A_S, A_T). Scores `[batch][heads][query][key]`."""
    losses = []
    for ours, theirs, mask in zip(student, teacher, padding_mask):
        length, total, count = len(mask), 0.0, 0
        for head in range(len(ours)):
            for query in range(length):
                for key in range(length):
                    if mask[query] and mask[key]:
                        total += (float(ours[head][query][key]) - float(theirs[head][query][key])) ** 2
                        count += 1
        losses.append(total / count)
    return losses


def hidden_loss(student, teacher, padding_mask, projection):
    """Equations 8 and 9: MSE(H_S W, H_T). States `[batch][length][width]`, W `[student width][teacher width]`."""
    losses = []
    for ours, theirs, mask in zip(student, teacher, padding_mask):
        total, count = 0.0, 0
        for position, is_token in enumerate(mask):
            if not is_token:
                continue
            for feature in range(len(theirs[position])):
                projected = 0.0
                for i in range(len(projection)):
                    projected += float(ours[position][i]) * float(projection[i][feature])
                total += (projected - float(theirs[position][feature])) ** 2
                count += 1
        losses.append(total / count)
    return losses


def relation_loss(student, teacher, padding_mask, relation_heads):
    """MiniLMv2 (arXiv 2012.15828, section 3.1): KL of the relations among queries, among keys and among values.

    Vectors `[batch][length][3 · width]`: a token's query, key and value, side by side. A sum over the three kinds of
    means over relation heads and tokens.
    """
    losses = []
    for ours, theirs, mask in zip(student, teacher, padding_mask):
        tokens, total = [position for position, is_token in enumerate(mask) if is_token], 0.0
        for kind in range(3):
            for head in range(relation_heads):
                for query in tokens:
                    log_q = _log_relation(ours, kind, head, relation_heads, query, tokens)
                    log_p = _log_relation(theirs, kind, head, relation_heads, query, tokens)
                    total += sum(math.exp(p) * (p - q) for p, q in zip(log_p, log_q))
        losses.append(total / (relation_heads * len(tokens)))
    return losses


def _log_relation(vectors, kind, head, relation_heads, query, tokens):
    """How a token relates to every token of its sentence, in one relation head of one kind: log-probabilities."""
    width = len(vectors[0]) // 3
    dim = width // relation_heads
    features = range(kind * width + head * dim, kind * width + (head + 1) * dim)
    return _log_softmax(
        [sum(float(vectors[query][f]) * float(vectors[key][f]) for f in features) / math.sqrt(dim) for key in tokens]
    )


def prediction_loss(student, teacher, temperature=1.0):
    """Equation 10: CE(z_T / t, z_S / t). Logits `[batch][classes]`; with one class, which is regression, a square."""
    losses = []
    for ours, theirs in zip(student, teacher):
        if len(ours) == 1:
            losses.append((float(ours[0]) - float(theirs[0])) ** 2)
            continue
        log_q = _log_softmax([float(z) / temperature for z in ours])
        log_p = _log_softmax([float(z) / temperature for z in theirs])
        losses.append(-sum(math.exp(p) * q for p, q in zip(log_p, log_q)))
    return losses


def span_prediction_loss(student, teacher, padding_mask, temperature=1.0):
    """Equation 10 with a sentence's tokens as classes: the mean of start and end. Logits `[batch][2][length]`."""
    losses = []
    for ours, theirs, mask in zip(student, teacher, padding_mask):
        tokens, total = [position for position, is_token in enumerate(mask) if is_token], 0.0
        for side in range(2):
            log_q = _log_softmax([float(ours[side][token]) / temperature for token in tokens])
            log_p = _log_softmax([float(theirs[side][token]) / temperature for token in tokens])
            total -= sum(math.exp(p) * q for p, q in zip(log_p, log_q))
        losses.append(total / 2)
    return losses


def total_loss(student, teacher, padding_mask, projections, layer_map, weights, temperature=1.0, relation_heads=0):
    """Equation 11: the weighted sum of every loss, and its parts; with `relation_heads` also of MiniLMv2's relations.

    Args:
        student, teacher: dicts of `hidden_states` (embedding output first), `attention_scores`, `logits`, and, where
            there are relation heads, `query_key_value`.
        projections: W for the embedding output and each student layer: M + 1 matrices.
        layer_map: g(1) … g(M).
        weights: Dict of `embedding`, `prediction` (numbers), `hidden`, `attention`, `relation` (M numbers each).

    Returns: a dict of numbers: each loss averaged over sentences, weighted as it goes into `loss`.
    """
    parts = {"embedding_loss": 0.0, "hidden_loss": 0.0, "attention_loss": 0.0, "prediction_loss": 0.0}
    states, targets = student["hidden_states"], teacher["hidden_states"]
    parts["embedding_loss"] = weights["embedding"] * _mean(
        hidden_loss(states[0], targets[0], padding_mask, projections[0])
    )
    for m, g in enumerate(layer_map, start=1):
        hidden = hidden_loss(states[m], targets[g], padding_mask, projections[m])
        scores = student["attention_scores"][m - 1], teacher["attention_scores"][g - 1]
        parts["hidden_loss"] += weights["hidden"][m - 1] * _mean(hidden)
        parts["attention_loss"] += weights["attention"][m - 1] * _mean(attention_loss(*scores, padding_mask))
    prediction = prediction_loss(student["logits"], teacher["logits"], temperature)
    parts["prediction_loss"] = weights["prediction"] * _mean(prediction)
    if relation_heads:
        vectors = ((student["query_key_value"][m], teacher["query_key_value"][g - 1]) for m, g in enumerate(layer_map))
        losses = [_mean(relation_loss(*both, padding_mask, relation_heads)) for both in vectors]
        parts["relation_loss"] = sum(weight * loss for weight, loss in zip(weights["relation"], losses))
    return parts | {"loss": sum(parts.values())}


def slope(loss, argument, step=1e-4):
    """The gradient of a loss, summed over sentences, by central differences: same shape as `argument`."""
    argument = np.array(argument, np.float64)
    gradient = np.zeros_like(argument)
    for index in np.ndindex(argument.shape):
        kept = argument[index]
        argument[index] = kept + step
        above = sum(loss(argument))
        argument[index] = kept - step
        gradient[index] = (above - sum(loss(argument))) / (2 * step)
        argument[index] = kept
    return gradient


def _log_softmax(logits):
    largest = max(logits)
    log_sum = math.log(sum(math.exp(z - largest) for z in logits))
    return [z - largest - log_sum for z in logits]


def _mean(numbers):
    return sum(numbers) / len(numbers)
