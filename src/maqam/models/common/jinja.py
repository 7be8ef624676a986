"""A form of dialogues as the Jinja template that processors and servers read."""

import json

from maqam.models.family import ChatTemplate


def jinja_of(template: ChatTemplate) -> str:
    """Return a chat template of transformers: messages to text, one placeholder for each audio.

    Args:
        template: How a model writes a dialogue.

    Returns:
        A Jinja template that takes texts, and lists of texts and audio.
    """
    before = {role: one for role, (one, _) in template.turns.items()}
    after = {role: one for role, (_, one) in template.turns.items()}
    opening = template.start
    if template.system is not None:
        opening += before["system"] + template.system + after["system"]
    return (
        f"{{% set before = {_literal(before)} %}}{{% set after = {_literal(after)} %}}"
        f"{{% if messages[0]['role'] != 'system' %}}{{{{ {_literal(opening)} }}}}"
        "{% endif %}{% for message in messages %}{{ before[message['role']] }}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}"
        "{% if part['type'] in ('audio', 'audio_url', 'input_audio')"
        " or 'audio' in part or 'audio_url' in part %}"
        f"{{{{ {_literal(''.join(template.audio))} }}}}"
        "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
        "{{ after[message['role']] }}{% endfor %}"
        f"{{% if add_generation_prompt %}}{{{{ {_literal(template.answer)} }}}}{{% endif %}}"
    )


def _literal(value: object) -> str:
    """Return a value as Jinja reads it."""
    return json.dumps(value, ensure_ascii=False)
