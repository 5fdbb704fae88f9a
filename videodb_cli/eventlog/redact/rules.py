"""The rules of redaction: what each looks for, and the bytes without which it cannot match."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from videodb_cli.eventlog.redact import validity


class Rule(NamedTuple):
    """One rule.

    Attributes:
        name: What is found, as the placeholder calls it: ``secret:aws-key``.
        pattern: What is replaced: the group ``value`` if there is one, else the whole match.
        needles: Lower-case bytes; in a line without any of them the rule is not tried. Without needles it always is.
        accepts: Tells whether what was found is what the rule is about.
        needs_digits: The rule is tried only where seven digits stand together, separators apart.
    """

    name: str
    pattern: re.Pattern[str]
    needles: tuple[bytes, ...]
    accepts: Callable[[str], bool] = lambda _: True
    needs_digits: bool = False

    @property
    def placeholder(self) -> str:
        """What stands in the place of what was found."""
        return f"[{self.name}]"


def _secret(
    name: str,
    pattern: str,
    *needles: str,
    accepts: Callable[[str], bool] = lambda _: True,
) -> Rule:
    return Rule(f"secret:{name}", re.compile(pattern), tuple(needle.encode() for needle in needles), accepts)


# No letter or digit before and after: a token stands alone. Repeats are bounded, and long ones are tried once for each
# run of characters, so that hostile text takes linear time.
_B, _E = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_KEYWORDS = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|credentials?|api[ _-]?key|apikey|(?:access|auth|private|account|"
    r"signing|encryption)[ _-]?key|(?:auth|access|refresh|session|bearer|api)?[ _-]?token|client[ _-]?secret)"
)

SECRETS = (
    _secret(
        "private-key",
        r"-----BEGIN (?:[A-Z]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?s:.)*?(?:-----END (?:[A-Z]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        "private key",
    ),
    _secret("aws-key", rf"{_B}(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{16}}{_E}", "akia", "asia", "abia", "acca"),
    _secret(
        "aws-secret",
        r"(?i:aws|secret)[\w .\-]{0,30}[\"']?\s{0,3}[:=]{1,2}\s{0,3}[\"']?"
        r"(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "aws",
        "secret",
        accepts=validity.is_random,
    ),
    _secret(
        "github",
        rf"{_B}(?:gh[pousr]_[A-Za-z0-9]{{30,255}}|github_pat_\w{{22,255}}){_E}",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat",
    ),
    _secret(
        "gitlab",
        rf"{_B}gl(?:pat|dt|rt|ptt|ft|soat)-[\w-]{{20,64}}",
        "glpat-",
        "gldt-",
        "glrt-",
        "glptt-",
        "glft-",
        "glsoat-",
    ),
    _secret("slack", rf"{_B}xox[abeoprs]-[A-Za-z0-9-]{{10,250}}", "xox"),
    _secret("slack-webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_/]{20,120}", "hooks.slack"),
    _secret("stripe", rf"{_B}(?:[rs]k_(?:live|test)_|whsec_)[A-Za-z0-9]{{16,247}}", "k_live_", "k_test_", "whsec_"),
    _secret(
        "api-key", rf"{_B}sk-(?:[a-z0-9]{{2,10}}-){{0,3}}[A-Za-z0-9_-]{{20,200}}", "sk-", accepts=validity.has_digit
    ),
    _secret("client-token", rf"{_B}st-[A-Za-z0-9_-]{{24,200}}", "st-", accepts=validity.has_digit),
    _secret("google", rf"{_B}(?:AIza[\w-]{{35}}|ya29\.[\w-]{{20,300}})", "aiza", "ya29."),
    _secret("npm", rf"{_B}npm_[A-Za-z0-9]{{36}}{_E}", "npm_"),
    _secret("pypi", rf"{_B}pypi-[\w-]{{50,300}}", "pypi-"),
    _secret("sendgrid", rf"{_B}SG\.[\w-]{{16,32}}\.[\w-]{{16,64}}", "sg."),
    _secret("twilio", rf"{_B}(?:AC|SK)[0-9a-f]{{32}}{_E}", "twilio"),
    _secret("telegram", rf"{_B}\d{{8,10}}:AA[\w-]{{33}}(?![\w-])", ":aa"),
    _secret("discord", rf"{_B}[MNO][A-Za-z0-9_-]{{23,27}}\.[\w-]{{6}}\.[\w-]{{27,40}}", "discord"),
    _secret("huggingface", rf"{_B}hf_[A-Za-z0-9]{{30,60}}{_E}", "hf_"),
    _secret("digitalocean", rf"{_B}do[opr]_v1_[a-f0-9]{{64}}{_E}", "_v1_"),
    _secret(
        "azure", r"(?i:AccountKey|SharedAccessKey)=(?P<value>[A-Za-z0-9+/]{40,100}={0,2})", "accountkey", "accesskey"
    ),
    _secret("jwt", r"(?<![\w-])eyJ[\w-]{8,4000}+\.[\w-]{8,8000}+\.[\w-]{8,2000}", "eyj"),
    _secret("url-password", r"://[^\s:/@\"']{0,100}:(?P<value>[^\s/@\"']{3,200})@", "://"),
    _secret(
        "bearer", r"(?i:bearer)\s{1,3}(?P<value>[A-Za-z0-9._~+/-]{16,2000}={0,2})", "bearer", accepts=validity.has_digit
    ),
    _secret(
        "password",
        rf"(?i)(?<![^\W_])(?!(?<=\[)secret:[a-z]){_KEYWORDS}[\"']?\s{{0,3}}(?::=|=>|[:=]|\bis\b:?)\s{{0,3}}[\"'`]?(?P<value>[^\s\"'`,;<>]{{6,200}})",
        "passw",
        "passp",
        "passc",
        "pwd",
        "secret",
        "credential",
        "key",
        "token",
        accepts=validity.looks_chosen,
    ),
)
CARDS = (
    Rule(
        "card", re.compile(r"(?<![\w.\-/=+])\d(?:[ \-]?\d){11,18}(?![\w\-/=])"), (), validity.is_card, needs_digits=True
    ),
)
EMAIL = (
    Rule(
        "email",
        re.compile(
            r"(?<![\w.+%\-])[\w.+%'\-]{1,64}@(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,8}[^\W\d_][\w\-]{1,62}(?![\w@])"
        ),
        (b"@",),
        validity.is_address,
    ),
)
PHONE = (
    Rule(
        "phone",
        re.compile(
            r"(?<![\w.+\-/])(?:"
            r"(?:\+|00(?=[1-9]\d{0,2}[ \-.(]))[1-9](?:[ .\-/()]{0,2}\d){6,14}"  # with a country code
            r"|\([02-9]\d{1,4}\)[ .\-]?\d{3,4}[ .\-]?\d{3,5}"  # (415) 555-0123
            r"|(?:1[ .\-])?[2-9]\d{2}([ .\-])[2-9]\d{2}\1\d{4}"  # 415-555-0123
            r"|0[1-9]\d{1,3}(?:[ ]\d{2,4}){2,4}"  # 020 7946 0958
            r"|0[1-9](?:[ .]\d{2}){4}"  # 01 23 45 67 89
            r"|0\d{1,4}[/\-]\d{3,4}[ \-]?\d{3,5}"  # 030/1234567, 03-1234-5678
            r")(?![\w\-]|\.\d)"
        ),
        (),
        validity.is_phone,
        needs_digits=True,
    ),
)
# In the order in which they are tried: what one has replaced, no later one sees.
KINDS: dict[str, tuple[Rule, ...]] = {"secrets": SECRETS, "cards": CARDS, "email": EMAIL, "phone": PHONE}
