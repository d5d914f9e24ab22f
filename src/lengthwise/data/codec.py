"""Read back the codec stored beside a model: the vocabulary or scaler that turns text or values into numbers."""

from __future__ import annotations

import json

from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary

Codec = Vocabulary | Scaler


def parse_codec(text: str) -> Codec:
    """Read a vocabulary or a scaler from the JSON that its `to_json` wrote.

    Raises:
        ValueError: The text is neither.
    """
    content = json.loads(text)
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind == "vocabulary":
        return Vocabulary.from_json(text)
    if kind == "scaler":
        return Scaler.from_json(text)
    raise ValueError(f"neither a stored vocabulary nor a stored scaler: kind {kind!r:.60}")
