import numpy as np
import pytest
import torch

from maqam.evaluate.decode import answer_rows
from maqam.models.protocol import collate
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks

TASKS = default_tasks()

ROWS = np.arange(15)


@pytest.fixture(scope="module")
def answer(backbone, manifest, audio_states):
    def answers(rows=ROWS, *, progress=None, **limits):
        settings = ScoreSettings(**{"max_new_tokens": 8, "max_label_tokens": 4, **limits})
        return answer_rows(
            backbone,
            manifest,
            np.asarray(rows),
            settings=settings,
            audio_states=audio_states,
            progress=progress,
        )

    return answers


@pytest.fixture(scope="module")
def answers(answer):
    return answer()


@torch.no_grad()
def plain_scores(backbone, row, states, labels):
    """The summed log-probabilities of labels, each in a forward of its own."""
    summed = []
    for label in labels:
        dialogue = [*row["messages"][:-1], {"role": "assistant", "content": label}]
        encoded = backbone.dialogue.encode(dialogue, len(states))
        batch = collate([encoded], [states], backbone.dialogue.padding_id)
        logs = backbone.logits(backbone.hidden(batch))[0].log_softmax(dim=-1)
        places = range(encoded.target_start, len(encoded.input_ids))
        summed.append(sum(float(logs[at - 1, encoded.input_ids[at]]) for at in places))
    return summed


@torch.no_grad()
def plain_answer(backbone, row, states, limit):
    """The greedy answer, the whole dialogue run again for every token."""
    prompt = backbone.dialogue.encode(row["messages"], len(states), with_target=False)
    batch = collate([prompt], [states], backbone.dialogue.padding_id)
    embeddings = backbone.embeddings(batch)
    language_model = backbone.model.model.language_model
    found = []
    while len(found) < limit and backbone.dialogue.end_id not in found:
        hidden = language_model(inputs_embeds=embeddings, use_cache=False).last_hidden_state
        found.append(int(backbone.logits(hidden[0, -1]).argmax()))
        last = language_model.embed_tokens(torch.tensor([[found[-1]]]))
        embeddings = torch.cat([embeddings, last], dim=1)
    return found


def test_rows_decoded_side_by_side_answer_as_they_do_one_at_a_time(answer, answers):
    alone = [answer([row])[0] for row in ROWS]
    assert [one.text for one in alone] == [one.text for one in answers]
    assert [one.num_tokens for one in alone] == [one.num_tokens for one in answers]
    for one, other in zip(alone, answers, strict=True):
        assert one.label_scores == pytest.approx(other.label_scores, abs=1e-4)


def test_answers_are_those_of_the_plain_greedy_way(backbone, manifest, audio_states, answers):
    for row in ROWS:
        plain = manifest.row(int(row))
        limit = 4 if TASKS[plain["task"]].labels else 8
        ids = plain_answer(backbone, plain, audio_states([int(row)])[0], limit)
        assert answers[row].text == backbone.dialogue.decode(ids)
        assert answers[row].num_tokens == len(ids)


def test_answers_differ_between_rows(answers):
    assert len({one.text for one in answers}) > 3


def test_label_scores_are_log_probabilities_summed_the_plain_way(
    backbone, manifest, audio_states, answer
):
    rows = [row for row in ROWS if TASKS[manifest.row(int(row))["task"]].labels]
    assert len(rows) == 6
    found = answer(rows)
    for row, one in zip(rows, found, strict=True):
        plain = manifest.row(int(row))
        labels = TASKS[plain["task"]].labels
        expected = np.array(plain_scores(backbone, plain, audio_states([int(row)])[0], labels))
        num_tokens = [len(backbone.dialogue.target_ids(label)) for label in labels]
        assert list(one.label_tokens) == num_tokens
        assert one.label_scores == pytest.approx(expected.tolist(), abs=1e-3)
        assert np.argmax(one.label_scores) == np.argmax(expected)


def test_free_text_has_no_label_scores(manifest, answers):
    for task, one in zip(manifest.column("task"), answers, strict=True):
        assert len(one.label_scores) == len(TASKS[task].labels)


def test_answers_come_in_the_order_of_the_rows_asked_for(answer, answers):
    order = [7, 0, 14, 3, 3, 9]
    for row, one in zip(order, answer(order), strict=True):
        assert one.text == answers[row].text


def test_an_answer_without_an_end_is_cut_at_the_limit_of_its_kind(manifest, answers):
    for task, one in zip(manifest.column("task"), answers, strict=True):
        if not one.stopped:
            assert one.num_tokens == (4 if TASKS[task].labels else 8)
    assert not all(one.stopped for one in answers)


def test_an_answer_ends_at_the_end_of_turn_token(
    backbone, manifest, audio_states, answer, monkeypatch
):
    asked = int(manifest.select(task="asr")[0])
    ids = plain_answer(backbone, manifest.row(asked), audio_states([asked])[0], 8)
    end = next(index for index, token in enumerate(ids) if token != ids[0])
    monkeypatch.setattr(backbone.dialogue, "end_id", ids[end])
    (one,) = answer([asked])
    assert one.stopped
    assert one.num_tokens == end + 1
    assert one.text == backbone.dialogue.tokenizer.decode(ids[:end]).strip()


def test_progress_counts_the_rows_done(answer):
    calls = []
    answer(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(3 * done, 15) for done in range(1, 6)]


def test_rows_too_long_to_share_a_batch_are_answered_one_by_one(answer, answers):
    calls = []
    found = answer(batch_tokens=1, progress=lambda done, _: calls.append(done))
    assert calls == list(range(1, 16))
    assert [one.text for one in found] == [one.text for one in answers]


def test_a_batch_holds_no_more_than_its_tokens_with_padding(
    backbone, manifest, audio_states, answer, monkeypatch
):
    sizes = []
    whole = backbone.answer

    def counted(prompts, *rest):
        sizes.append(len(prompts) * max(len(one.input_ids) for one in prompts))
        return whole(prompts, *rest)

    monkeypatch.setattr(backbone, "answer", counted)
    answer(batch_tokens=120)
    assert max(sizes) <= 120
    assert 5 < len(sizes) < 15


def test_no_row_gives_no_answer(answer):
    assert answer(np.array([], dtype=np.int64)) == []
