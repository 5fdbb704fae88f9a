"""Tells real finds of the rules from what only looks like them."""

from __future__ import annotations

import math
import re
from collections import Counter

# Lengths and first digits by issuer: Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay, Maestro, Mir.
_ISSUERS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"6011|64[4-9]|65"), (16, 19)),
    (re.compile(r"35(?:2[89]|[3-8])"), (16, 17, 18, 19)),
    (re.compile(r"3(?:0[0-5]|095|[689])"), (14, 16, 19)),
    (re.compile(r"62|81"), (16, 17, 18, 19)),
    (re.compile(r"50|5[6-9]|63|67"), (12, 13, 14, 15, 16, 17, 18, 19)),
    (re.compile(r"220[0-4]"), (16, 17, 18, 19)),
)
# Names of files and of scales that look like domains: icon@2x.png.
_FILE_ENDINGS = frozenset("png jpg jpeg gif svg webp css js ts py json html xml pdf txt md mp4 service".split())  # noqa: SIM905
_DUMMIES = re.compile(
    r"(?i)^(?:\W*(?:true|false|none|null|undefined|required|optional|missing|invalid|expired|changeme|example|redacted)"
    r"\W*|[x*•.\-_]+|\$\{.*|\{\{.*|<.*|%\w+%|\[.*|process\.env.*|os\.environ.*)$"
)
_PLACEHOLDER = re.compile(r"^\[[a-z][\w:-]*\]$")


def has_digit(text: str) -> bool:
    """Tell whether a digit is in it: names of things such as ``sk-learn-contrib`` have none."""
    return any(character.isdigit() for character in text)


def is_random(text: str) -> bool:
    """Tell whether its characters are as mixed as those of a generated key."""
    counts = Counter(text)
    entropy = -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
    return entropy > 3.5 and has_digit(text) and any(character.isalpha() for character in text)


def looks_chosen(value: str) -> bool:
    """Tell whether what stands behind "password is" can be one, and is no word of a sentence, path or call."""
    value = value.rstrip(".,;:!?)]}")
    if len(value) < 6 or _DUMMIES.match(value) or _PLACEHOLDER.match(value):
        return False
    if value.startswith(("http://", "https://", "/", "./", "~/")) or "(" in value:
        return False
    letters, digits = any(c.isalpha() for c in value), has_digit(value)
    marks = any(not c.isalnum() and c not in "'-_." for c in value[:-1])
    return letters and (digits or marks)


def is_card(text: str) -> bool:
    """Tell whether digits are a card number: issuer, length, and check digit (Luhn)."""
    digits = [int(character) for character in text if character.isdigit() and character.isascii()]
    if len(set(digits)) < 2:
        return False
    number = "".join(map(str, digits))
    if not any(first.match(number) and len(number) in lengths for first, lengths in _ISSUERS):
        return False
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_address(text: str) -> bool:
    """Tell whether it is an e-mail address and not the name of a file or of a program."""
    name, _, domain = text.rpartition("@")
    if name == "git" or name.startswith(".") or name.endswith(".") or ".." in name:
        return False
    return domain.rpartition(".")[2].lower() not in _FILE_ENDINGS


def is_phone(text: str) -> bool:
    """Tell whether it has as many digits as a telephone number, and is no date."""
    digits = sum(character.isdigit() for character in text)
    return 8 <= digits <= 15 and not re.fullmatch(r"\d{1,4}[ .\-/]\d{1,2}[ .\-/]\d{1,4}", text)
