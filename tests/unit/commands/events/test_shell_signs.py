"""What only a shell understands is noticed, and what is quoted or for a shell is not."""

from __future__ import annotations

import pytest

from videodb_cli.commands.events.shell_signs import shell_sign


@pytest.mark.parametrize(
    ("command", "sign"),
    [
        ("jq .data | mail me", "|"),
        ("a && b", "&&"),
        ("a; b", ";"),
        ("cat > out", ">"),
        ("cat >>out", ">>"),
        ("echo $VIDEODB_TEXT", "$V"),
        ('echo "$VIDEODB_TEXT"', "$V"),
        ("echo `date`", "`"),
        ("a $(date)", "("),
        ("A=1 cmd", "A=1"),
        ("sh -c 'cat | mail $A'", None),
        ('/bin/bash -c "cat > x"', None),
        ("jq '.a | .b'", None),
        ('grep "a;b"', None),
        ("notify-send hello", None),
        ("env A=1 cmd", None),
        ("echo 5$", None),
        ("", None),
        ("'unclosed", None),
        ("cmd --x=a&b", "&"),
        ("sh script > out", ">"),
    ],
)
def test_signs(command: str, sign: str | None) -> None:
    assert shell_sign(command) == sign
