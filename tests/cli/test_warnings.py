"""Warnings of a command: a line each, and none for developers."""

import warnings

from robfair.cli._warnings import shown_warnings


def test_a_warning_is_one_line_on_stderr(capsys):
    with shown_warnings():
        warnings.warn("two\nlines \x1b[31m", UserWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "robfair: warning: two lines \\x1b[31m\n")
