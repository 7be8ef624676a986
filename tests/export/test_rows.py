import pyarrow.parquet as pq
import pytest

from maqam.errors import ManifestError
from maqam.export.rows import RowsFile, chat_row, rows_schema
from tests.factories import make_row


def talk(*roles):
    messages = [{"role": role, "content": "كلام رقم 0"} for role in roles]
    return make_row(0, task="tsum", messages=messages)


def test_text_has_an_empty_list_of_audios():
    assert chat_row(make_row(4), None, {}, None)["audios"] == []


def test_a_weight_stands_in_the_answers_only():
    row = chat_row(talk("user", "assistant"), None, {}, 2.0)
    assert [message.get("loss_scale") for message in row["messages"]] == [None, 2.0]


def test_the_manifest_row_is_not_changed():
    row = talk("user", "assistant")
    chat_row(row, None, {}, 2.0)
    assert "loss_scale" not in row["messages"][1]


def test_a_system_message_may_come_first():
    row = chat_row(talk("system", "user", "assistant"), None, {}, None)
    assert len(row["messages"]) == 3


@pytest.mark.parametrize(
    "roles", [("user", "user", "assistant"), ("assistant",), ("system",), ("user",)]
)
def test_messages_without_turns_are_refused(roles):
    with pytest.raises(ManifestError, match=f"roles are {', '.join(roles)}"):
        chat_row(talk(*roles), None, {}, None)


def test_parquet_has_a_type_for_audios_without_any(tmp_path):
    schema = rows_schema(("channel",), has_scale=True)
    with RowsFile(tmp_path / "rows.parquet", schema) as file:
        for _ in range(3):
            file.write(chat_row(talk("user", "assistant"), None, {"channel": "tsum"}, 1.0))
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.schema.equals(schema)
    assert table.num_rows == 3
