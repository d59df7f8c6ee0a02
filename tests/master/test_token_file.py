from __future__ import annotations

import pytest
from sampan_master.token_file import TokenFileError, read_tokens


def test_each_line_is_a_token_with_its_user(tmp_path):
    file = tmp_path / "tokens.csv"
    file.write_text('t1,ann,u1,"system:masters,dev"\n\nt2,bob\n')
    tokens = read_tokens(file)
    assert (tokens["t1"].name, tokens["t1"].uid, tokens["t1"].groups) == ("ann", "u1", ["system:masters", "dev"])
    assert (tokens["t2"].name, tokens["t2"].groups) == ("bob", [])


@pytest.mark.parametrize(("text", "said"), [("t1\n", ":1: a token and a user name"), ("t,a\nt,b\n", ":2: this token")])
def test_a_line_that_makes_no_sense_is_named(tmp_path, text, said):
    file = tmp_path / "tokens.csv"
    file.write_text(text)
    with pytest.raises(TokenFileError, match=said):
        read_tokens(file)
