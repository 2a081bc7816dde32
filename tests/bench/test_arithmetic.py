"""What the topics reckon with beside the report. Nothing here measures time."""

import json
import socket
import threading
from pathlib import Path

import pytest

from tests.bench import large
from tests.bench.processes import by_part, parse, used
from tests.bench.students import HttpReply, read_reply
from tests.bench.tally import delays
from tests.bench.web import Answer


def test_a_vote_is_behind_until_a_reading_tells_of_as_many_voters() -> None:
    acknowledged = [1.0, 2.0, 3.0]
    readings = [(0.5, 0), (1.25, 1), (2.5, 2), (2.75, 2), (4.0, 3)]
    assert delays(acknowledged, readings) == [250.0, 500.0, 1000.0]


def test_votes_are_taken_in_the_order_of_their_acknowledgement_and_never_counted_before_it() -> None:
    assert delays([2.0, 1.0], [(0.5, 0), (1.5, 2)]) == [500.0, 0.0]


def test_a_reading_of_another_replica_that_runs_backwards_takes_nothing_back() -> None:
    assert delays([1.0, 1.0], [(1.5, 2), (2.0, 1), (3.0, 2)]) == [500.0, 500.0]


def test_a_line_of_proc_is_read_whatever_the_process_calls_itself() -> None:
    line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 100 1000 10"
    process = parse(line, "python handler.py --stdin", tick=100)
    assert (process.pid, process.parent, process.cpu) == (42, 7, 2.0)


def test_a_process_counts_to_the_nearest_part_above_it_and_strangers_to_none() -> None:
    def process(pid: int, parent: int, cpu: int, command: str = "x"):
        return parse(f"{pid} (x) S {parent} 0 0 0 0 0 0 0 0 0 {cpu} 0 0 0", command, tick=1)

    processes = {
        process.pid: process
        for process in (
            process(1, 0, 1_000),
            process(10, 1, 1),  # the demo
            process(11, 10, 2),  # its web tier, and two workers
            process(12, 11, 4),
            process(13, 11, 8),
            process(20, 10, 16),  # its lab, a leash, the engine on it, a function
            process(21, 20, 32),
            process(22, 21, 64),
            process(23, 20, 128, "python deploy/functions/tally/handler.py --stdin"),
            process(99, 1, 5_000),
        )
    }
    roots = {"demo": 10, "web": 11, "lab": 20}
    assert by_part(processes, roots) == {"demo": 1, "web": 14, "lab": 16, "engines": 96, "functions": 128}


def test_what_was_used_is_told_by_size_and_a_replaced_process_is_never_negative() -> None:
    assert used({"web": 5, "lab": 1}, {"lab": 4, "web": 3, "new": 1}) == {"lab": 3, "new": 1, "web": 0.0}


def test_a_reply_is_read_to_its_end_in_however_many_pieces_it_comes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def send() -> None:
            for byte in b'HTTP/1.1 201 Created\r\ncontent-length: 4\r\nETag: "a"\r\n\r\nbody':
                theirs.send(bytes([byte]))

        sender = threading.Thread(target=send)
        sender.start()
        reply = read_reply(ours)
        sender.join()
        assert (reply.status, reply.body) == (201, b"body")
        assert Answer(reply, 1.0).header("etag") == '"a"'
        assert Answer(reply, 1.0).header("X-Other") == ""


def test_a_304_has_no_body_and_a_closed_connection_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")
        assert read_reply(ours) == HttpReply(304, b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n", b"")
        with pytest.raises(ConnectionError):
            read_reply(ours)


def test_a_copied_engine_has_the_other_regions_tables_and_the_same_items(tmp_path: Path) -> None:
    def state(region: str) -> dict[str, object]:
        items = {"MANY22#1#0": {"voter#us-east-1": {"updated_in": {"S": "us-east-1"}}}}
        table = {"TableArn": f"arn:aws:dynamodb:{region}:000000000000:table/survey-votes", "items": items}
        return {"tables": {"data": {f"000000000000\x00{region}\x00'survey-votes'": table}}}

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dynamodb.json").write_text(json.dumps(state("us-east-1")))
    large._copy(tmp_path / "data", tmp_path / "other" / "data")
    assert json.loads((tmp_path / "other" / "data" / "dynamodb.json").read_text()) == state("us-west-2")
    with pytest.raises(AssertionError, match="saved nothing"):
        large._copy(tmp_path / "other", tmp_path / "third")
