"""A family's form of dialogues as the Jinja template that processors and servers read."""

from maqam.models.family import ChatTemplate


def jinja_of(template: ChatTemplate) -> str:
    """Return a chat template: messages to text, one placeholder for each audio.

    Args:
        template: How the family writes a dialogue.
    """
    audio = _quoted("".join(template.audio))
    lines = [
        "{%- for message in messages -%}",
        "{%- if loop.first and message['role'] != 'system' -%}",
        _opening(template),
        "{%- endif -%}",
    ]
    word = "if"
    for role, (before, _) in template.turns.items():
        lines.append(
            f"{{%- {word} message['role'] == {_quoted(role)} -%}}{{{{- {_quoted(before)} -}}}}"
        )
        word = "elif"
    lines += [
        "{%- endif -%}",
        "{%- if message['content'] is string -%}{{- message['content'] -}}{%- else -%}",
        "{%- for part in message['content'] -%}",
        "{%- if part['type'] in ('audio', 'audio_url', 'input_audio') -%}",
        f"{{{{- {audio} -}}}}",
        "{%- elif 'text' in part -%}{{- part['text'] -}}{%- endif -%}",
        "{%- endfor -%}{%- endif -%}",
    ]
    word = "if"
    for role, (_, after) in template.turns.items():
        lines.append(
            f"{{%- {word} message['role'] == {_quoted(role)} -%}}{{{{- {_quoted(after)} -}}}}"
        )
        word = "elif"
    lines += [
        "{%- endif -%}",
        "{%- endfor -%}",
        f"{{%- if add_generation_prompt -%}}{{{{- {_quoted(template.answer)} -}}}}{{%- endif -%}}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _opening(template: ChatTemplate) -> str:
    """Return what stands before a dialogue that begins without the system's turn."""
    opening = template.start
    if template.system is not None:
        before, after = template.turns["system"]
        opening += before + template.system + after
    return f"{{{{- {_quoted(opening)} -}}}}" if opening else ""


def _quoted(text: str) -> str:
    """Return a text as Jinja spells it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
