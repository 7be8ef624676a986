"""Buckwalter's transliteration, in which the texts of MGB-2 are written."""

_LATIN = "'|>&<}AbptvjHxd*rzs$SDTZEg_fqklmnhwYyFNKaui~o`{PJVG"
_ARABIC = (
    "\u0621\u0622\u0623\u0624\u0625\u0626\u0627\u0628\u0629\u062a\u062b\u062c\u062d\u062e\u062f"
    "\u0630\u0631\u0632\u0633\u0634\u0635\u0636\u0637\u0638\u0639\u063a\u0640\u0641\u0642\u0643"
    "\u0644\u0645\u0646\u0647\u0648\u0649\u064a\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652"
    "\u0670\u0671\u067e\u0686\u06a4\u06af"
)
_TO_ARABIC = str.maketrans(_LATIN, _ARABIC)


def from_buckwalter(text: str) -> str:
    """Turn Buckwalter's Latin letters and signs to Arabic; all other characters stay.

    Examples:
        >>> from_buckwalter("mrHbA bkm 2 >qwAl")
        'مرحبا بكم 2 أقوال'
    """
    return text.translate(_TO_ARABIC)
