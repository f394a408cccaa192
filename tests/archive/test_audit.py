"""The audit trail: every change of it shows, a kill leaves it whole, floods do not fill it."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.archive import audit
from opencmr.archive.audit import Audit, Entry, Event, Outcome, entries
from opencmr.errors import InputError

REFUSED = Entry(Event.NODE_AUTHENTICATION, "not on the list", Outcome.MINOR_FAILURE, "EVIL", "::1")
CAME = Entry(Event.INSTANCES_TRANSFERRED, "stored", caller="MRI", address="::1", instances=3)


def trail(path, *told):
    with Audit(path) as opened:
        for entry in told:
            opened.record(entry)
    return path


def test_what_was_told_is_read_back_in_its_order_between_start_and_stop(tmp_path):
    found = list(entries(trail(tmp_path / "a", CAME, REFUSED)))
    assert [one["event"] for one in found] == ["110120", "110104", "110126", "110121"]
    assert found[1]["instances"] == 3
    assert (found[2]["caller"], found[2]["outcome"]) == ("EVIL", 4)
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


@given(data=st.data())
def test_any_byte_that_is_changed_shows(tmp_path_factory, data):
    path = trail(tmp_path_factory.mktemp("trail") / "a", CAME, REFUSED)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    path.write_bytes(content)
    with pytest.raises(InputError, match="was changed"):
        list(entries(path))


@pytest.mark.parametrize("change", ["removed", "doubled", "moved", "spaced"])
def test_a_line_that_is_removed_doubled_moved_or_rewritten_shows(tmp_path, change):
    path = trail(tmp_path / "a", CAME, REFUSED)
    first, second, *others = path.read_bytes().splitlines(keepends=True)
    changed = {
        "removed": [first, *others],
        "doubled": [first, second, second, *others],
        "moved": [second, first, *others],
        "spaced": [first, second.replace(b'": ', b'":  ', 1), *others],
    }[change]
    path.write_bytes(b"".join(changed))
    with pytest.raises(InputError, match=r"entry [12345] of the audit trail"):
        list(entries(path))
    with pytest.raises(InputError):
        Audit(path)


def test_a_trail_that_was_cut_within_its_last_entry_goes_on_and_says_so(tmp_path):
    whole = trail(tmp_path / "a", CAME).read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for kept in range(len(whole) - last + 1, len(whole)):
        path = tmp_path / f"cut{kept}"
        path.write_bytes(whole[:kept])
        found = list(entries(trail(path)))
        assert "dropped" in str(found[2]["what"])
        assert [one["event"] for one in found] == ["110120", "110104", "110120", "110121"]


def test_the_same_again_and_again_is_counted_and_not_written(tmp_path):
    found = list(entries(trail(tmp_path / "a", *[REFUSED] * 5000, CAME)))
    assert len(found) < 100
    refusals = [one for one in found if one["event"] == "110126"]
    assert len(refusals) + sum(int(str(one["repeated_before"])) for one in found) == 5000


def test_the_same_after_a_while_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "REPEAT_S", 0.0)
    assert len(list(entries(trail(tmp_path / "a", REFUSED, REFUSED)))) == 4


def test_many_threads_write_one_chain(tmp_path):
    with Audit(tmp_path / "a") as opened:

        def tell(who):
            for number in range(50):
                opened.record(Entry(Event.EXPORT, f"{who} {number}"))

        threads = [threading.Thread(target=tell, args=(who,)) for who in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert len(list(entries(tmp_path / "a"))) == 202


@pytest.mark.parametrize("hostile", [b"[]\n", b"3\n", b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_trail_is_refused(tmp_path, hostile):
    (tmp_path / "a").write_bytes(hostile)
    with pytest.raises(InputError):
        list(entries(tmp_path / "a"))


def test_an_entry_is_one_line_whatever_a_caller_calls_itself(tmp_path):
    odd = Entry(Event.NODE_AUTHENTICATION, "x", caller='A\n{"event": "110121"}')
    assert len(trail(tmp_path / "a", odd).read_bytes().splitlines()) == 3
    assert json.loads((tmp_path / "a").read_bytes().splitlines()[1])["caller"] == odd.caller
