"""Files that are there whole or not at all."""

import os
import subprocess
import sys
import threading
import time

import pytest

from robfair._files import DAY, check_target, replacing


def write(path, text="new"):
    with replacing(path) as temporary:
        temporary.write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file(tmp_path):
    write(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(error, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_links_stay(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "file", tmp_path / "link"
    link.symlink_to(target)  # to a file that is not there yet
    for text in ("first", "second"):
        write(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert names(tmp_path / "far") == ["file"]


def test_links_in_a_circle_are_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(OSError, match="symbolic links"):
        write(link)


def test_permissions_are_kept(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    write(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_permissions_of_a_new_file_are_those_of_any(tmp_path):
    (tmp_path / "other").write_text("")
    write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_pipes_are_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == ["new"]
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_devices_are_written_into(tmp_path):
    write("/dev/null")
    assert not os.path.isfile("/dev/null")
    (tmp_path / "link").symlink_to("/dev/full")
    for path in ("/dev/full", tmp_path / "link"):
        with pytest.raises(OSError, match="No space left"):
            write(path)
    assert names(tmp_path) == ["link"]


CHILD = """
import sys
from robfair._files import replacing
print("first", flush=True)
print("second")
for path in sys.argv[1:]:
    with replacing(path) as temporary:
        temporary.write_text(path[-1])
print("last")
"""


def test_standard_output_is_written_into_where_it_is_a_file(tmp_path):
    """A new file in the place of the shell's would lose what is printed."""
    path = tmp_path / "out"
    with path.open("w") as out:
        command = [sys.executable, "-c", CHILD, "/dev/stdout", str(path)]
        subprocess.run(command, stdout=out, check=True)
    assert path.read_text() == "first\nsecond\nttlast\n"


def test_folders_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path, error in [
        (tmp_path, IsADirectoryError),
        (tmp_path / "none" / "file", FileNotFoundError),
        (tmp_path / "file" / "file", FileNotFoundError),
        (tmp_path / ("n" * 256), OSError),
    ]:
        with pytest.raises(error):
            check_target(path)
        with pytest.raises(error):
            write(path)


def test_what_may_not_be_written_is_refused_by_its_own_name(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    for closed in (path, tmp_path):  # the tests may run as root, who may write anything
        monkeypatch.setattr(os, "access", lambda each, mode, closed=closed: each != closed)
        with pytest.raises(PermissionError, match="Permission denied") as caught:
            write(path)
        assert caught.value.filename == str(closed)
    assert path.read_text() == "old"


def test_errors_name_the_file_and_not_the_temporary_one(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "file"):
        pass  # nothing is written
    assert caught.value.filename == str(tmp_path / "file")


def test_names_may_be_long(tmp_path):
    path = tmp_path / ("n" * 255)
    write(path)
    assert names(tmp_path) == [path.name]


KILLED = """
import os, signal, sys
from robfair._files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.parametrize("name", ["file", "n" * 255])
def test_the_next_write_removes_what_a_killed_one_has_left(name, tmp_path):
    path = tmp_path / name
    for other in ("file2", ".file.swp", f".{name[:100]}.notes-1-0000000g.tmp"):
        (tmp_path / other).write_text("the user's")
    before = names(tmp_path)
    for signal in ("9", "15"):
        subprocess.run([sys.executable, "-c", KILLED, path, signal], check=False)
    assert len(names(tmp_path)) >= len(before) + 1
    assert not path.exists()
    write(path)
    assert names(tmp_path) == sorted([*before, name])


def test_a_write_under_way_is_left_alone(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as temporary:
        temporary.write_text("first")
        foreign = temporary.with_name(".file.elsewhere-1-00000000.tmp")  # of another machine
        foreign.write_text("theirs")
        write(path, "second")
        assert foreign.exists()
    assert path.read_text() == "first"  # which ended last
    old = time.time() - 2 * DAY
    os.utime(foreign, (old, old))
    write(path)
    assert names(tmp_path) == ["file"]
