"""What is quoted in a message is short and holds nothing that a terminal obeys."""

from mpm_deploy.support.quoting import printable, shortened, shown


def test_what_a_terminal_obeys_is_escaped():
    assert printable("a\n\tb é") == "a\n\tb é"
    assert printable("\x1b[2J\x07\r\x7f") == "\\x1b[2J\\x07\\x0d\\x7f"
    assert printable("\x9b31m\u202e\u2066") == "\\x9b31m\\u202e\\u2066"


def test_what_is_quoted_is_short():
    assert shortened("a" * 200) == "a" * 200
    assert shortened("a" * 201) == "a" * 197 + "..."
    assert shown("warm") == "'warm'"
    assert len(shown("a" * 10**6)) <= 60 and len(shown({"key": [[1] * 1000] * 1000})) <= 60
    assert shown(16**5000) == "a whole number of 20001 bits"  # Python refuses to write it out


def test_a_list_that_is_in_itself_many_times_is_shown_at_once():
    value: object = "lol"
    for _ in range(100):
        value = [value] * 10  # 10 ** 100 words
    assert len(shown(value)) <= 60
