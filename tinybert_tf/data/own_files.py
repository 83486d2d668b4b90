"""A user's own files of labelled texts, and what their columns hold."""

import dataclasses

from tinybert_tf.data import files


@dataclasses.dataclass(frozen=True)
class Files:
    """A user's own files, and what their columns hold; false if no file is named.

    Args:
        train_file: File of the training examples, "" for none.
        dev_file: File of the dev examples; a seeded tenth of the training file by default.
        test_file: File of the test examples, which may lack labels.
        text_column: Name of the column that holds the text.
        text_pair_column: Name of the column that holds a second text, "" for none.
        label_column: Name of the column that holds the label.
        label_separator: Text between several labels in one field, "" where each text has one label.
        regression: Whether the labels are numbers.
    """

    train_file: str = ""
    dev_file: str = ""
    test_file: str = ""
    text_column: str = "text"
    text_pair_column: str = ""
    label_column: str = "label"
    label_separator: str = ""
    regression: bool = False

    def __bool__(self) -> bool:
        return bool(self.train_file or self.dev_file or self.test_file)

    def tables(self, train_labels_may_lack: bool = False) -> dict[str, files.Table]:
        """Reads each file that is named, by split."""
        may_lack = {"test": True, "train": train_labels_may_lack, "dev": False}
        found = {}
        for split, path in (("train", self.train_file), ("dev", self.dev_file), ("test", self.test_file)):
            if path:
                names = (self.text_column, self.text_pair_column, self.label_column)
                columns = files.Columns(*names, may_lack[split], self.label_separator)
                found[split] = files.read_table(path, columns, argument=f"{split}_file")
        return found
