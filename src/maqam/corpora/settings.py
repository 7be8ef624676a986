"""What an import is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from maqam.corpora.encodings import UTF_8
from maqam.data.manifest import SPLITS
from maqam.errors import ConfigError
from maqam.settings_file import nearest
from maqam.tasks import Tasks, default_tasks
from maqam.taxonomy.tree import TAXONOMIES, read_taxonomy, taxonomy_with

COLUMNS = (
    "id",
    "audio",
    "start",
    "end",
    "seconds",
    "text",
    "summary",
    "target",
    "label",
    *TAXONOMIES,
    "speaker",
    "source",
    "split",
    "task",
)


TABLE, COMMON_VOICE = "table", "common-voice"
_TAKEN_BY = {  # formats that an option is for
    "column": (TABLE, COMMON_VOICE, "nemo", "huggingface", "webdataset"),
    "delimiter": (TABLE, COMMON_VOICE),
    "encoding": (TABLE, COMMON_VOICE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """What an import is asked for.

    Attributes:
        kind: Format of the source, one of `maqam.corpora.importing.run.KINDS`, or a corpus card.
        task: Task of the rows that name none.
        split: Split of all rows; when absent each row's own, else train.
        media_dir: Folder that relative audio paths start from; the format's own when absent.
        corpus: Name written as `source` of the rows that name none; the source's own when absent.
        columns: For formats with columns: our name of a column to the source's.
        labels: The source's word for a label, dialect or emotion, and what it is here: a label of
            a task or a code of the taxonomy; None leaves it out.
        label_set: Label set that the source's words are of, such as adi17; that of the card, or
            none, when absent.
        language: Language of the prompts, such as "ar"; the card's, or Arabic, when absent.
        delimiter: For tables: what stands between cells; as it looks when absent.
        encoding: For tables: encoding of the text; as it looks when absent.
        allow_outside: Folders beside the corpus that its audio may lie in.
        decode: Whether to decode all audio now, and not only read its header.
        channel: Channel that is heard of all audio, from 0; the mean of all when absent.
        tasks: The tasks that rows may name; the five of the paper when absent.

    Raises:
        ConfigError: If a task, split, column, label, label set or language is unknown.
    """

    kind: str
    task: str | None = None
    split: str | None = None
    media_dir: Path | None = None
    corpus: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    label_set: str | None = None
    language: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    allow_outside: tuple[Path, ...] = ()
    decode: bool = False
    channel: int | None = None
    tasks: Tasks = field(default_factory=default_tasks)

    def __post_init__(self) -> None:
        known = dict.fromkeys(label for task in self.tasks.values() for label in task.labels)
        known |= dict.fromkeys(code for name in TAXONOMIES for code in read_taxonomy(name).nodes)
        spoken = {language for task in self.tasks.values() for language in task.prompts}
        _check("task", [self.task], self.tasks)
        _check("split", [self.split], SPLITS)
        _check("language", [self.language], sorted(spoken))
        _check("column", self.columns, COLUMNS)
        self._check_form()
        _check("label", self.labels.values(), known)
        if self.label_set is not None:
            taxonomy_with(self.label_set)

    @property
    def class_columns(self) -> tuple[str, ...]:
        """Columns of a source that may hold a class or an answer: what its tasks ask for."""
        targets = (task.target for task in self.tasks.values())
        found = dict.fromkeys(("label", *TAXONOMIES, *targets))
        return tuple(name for name in found if name not in ("text", "summary"))

    def _check_form(self) -> None:
        """Refuse columns, a delimiter or an encoding that the format cannot have."""
        given = {"column": self.columns, "delimiter": self.delimiter, "encoding": self.encoding}
        for name, value in given.items():
            if value and self.kind not in _TAKEN_BY[name]:
                hint = f"leave it out; it is for {', '.join(_TAKEN_BY[name])}"
                raise ConfigError(f"{self.kind} has no {name} to name", where=name, hint=hint)
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ConfigError(
                f"no delimiter {self.delimiter!r}", where="delimiter", hint="give one character"
            )
        try:
            "text".encode(self.encoding or UTF_8)
        except (LookupError, ValueError) as error:
            hint = "use utf-8, utf-16, windows-1256 or another name that Python knows"
            raise ConfigError(str(error), where="encoding", hint=hint) from error


def _check(name: str, values: Iterable[str | None], allowed: Iterable[str]) -> None:
    choices = tuple(allowed)
    for value in values:
        if value is not None and value not in choices:
            hint = nearest(value, choices, is_listed=True)
            raise ConfigError(f"no {name} {value!r}", where=name, hint=hint)
