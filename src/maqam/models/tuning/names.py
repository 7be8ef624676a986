"""What adapters of tasks and experts are called, in a model and on disk."""

from urllib.parse import quote

SHARED = "shared"
ROUTING = "routing.json"
ROUTER = "router.safetensors"


def folder_of(name: str) -> str:
    """Return the folder of a task's adapter, whatever the task is called.

    Examples:
        >>> folder_of("asr"), folder_of("a.b/c")
        ('asr', 'a%2Eb%2Fc')
    """
    return quote(name, safe="").replace(".", "%2E")


def key_of(name: str) -> str:
    """Return what the adapter of a task or an expert is called within a layer.

    Examples:
        >>> key_of("asr")
        'to_asr'
    """
    return f"to_{folder_of(name)}"


def expert_names(number: int) -> tuple[str, ...]:
    """Return what experts are called.

    Examples:
        >>> expert_names(2)
        ('expert-0', 'expert-1')
    """
    return tuple(f"expert-{index}" for index in range(number))
