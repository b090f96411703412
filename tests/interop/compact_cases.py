#!/usr/bin/python3
"""strm compact on logs made by hand, with what must come out said here.

    compact_cases.py [NAME...]

    markers       transactions, pass by pass
    snapshot      one that compaction made wrong
    producers     who is forgotten, and when
    oddities      what random logs do not hold
    epochs        verify: a leader of whose time nothing is left
    log_end       verify: an empty segment above the last batch
"""

import os
import sys
import tempfile

from kafka.record.memory_records import MemoryRecords

import kafkalog
import strmtest
from check_partition import HEADER
from compaction import DAY, HOUR, Store, compact_and_judge, table
from kafkalog import (ABORT, COMMIT, CONTROL, TRANSACTIONAL, Record,
                      encode_record, make_batch)
from producers import State
from randomlog import START, write_segment
from strmtest import consume, require, strm


# --- transactions, by hand -----------------------------------------------

def one(offset, key, value, *, attributes=0, producer=-1, epoch=-1, seq=-1):
    record = Record(offset, START + offset, key, value)
    return make_batch(
        encode_record(record, offset, record.ts), base=offset, last_delta=0,
        base_ts=record.ts, max_ts=record.ts, count=1, attributes=attributes,
        producer=producer, producer_epoch=epoch, sequence=seq)


def txn(offset, producer, key, seq):
    return one(offset, key, b'v', attributes=TRANSACTIONAL, producer=producer,
               epoch=0, seq=seq)


def end(offset, producer, kind):
    return one(offset, b'\0\0\0' + bytes([kind]), b'\0\0\0\0\0\7',
               attributes=TRANSACTIONAL | CONTROL, producer=producer, epoch=0)


def offsets(store):
    return [b.base for s in store.log().segments for b in s.batches]


def markers():
    """Pass A takes the data, pass B sets the horizon, pass C the marker."""
    aborted = kafkalog.ABORTED.pack(0, 2, 1, 4, 5)
    with tempfile.TemporaryDirectory() as path:
        store = Store(path)
        write_epochs(store, '0 0')
        segments = {
            0: [txn(0, 1, b'a', 0), txn(1, 2, b'b', 0), end(2, 1, COMMIT),
                one(3, b'a', b'new')],
            # The abort of what is in the first segment stands in the second,
            # and the producers go on, so that their last batches are here.
            4: [end(4, 2, ABORT), txn(5, 1, b'c', 1), end(6, 1, COMMIT),
                txn(7, 2, b'd', 1), end(8, 2, COMMIT), one(9, b'b', b'x')],
            10: [one(10, b'z', b'z')]}
        for base, batches in segments.items():
            write_segment(store.partition, base, batches,
                          aborted if base == 4 else b'', store.interval,
                          base != 10)
        now = START + HOUR
        rest = [3, 5, 6, 7, 8, 9, 10]
        for wait, expected, horizons in (
                (0, [2, 3, 4] + rest[1:], []),          # A
                (0, [2, 3, 4] + rest[1:], [2, 4]),      # B
                (DAY - 1, [2, 3, 4] + rest[1:], [2, 4]),
                (1, rest, [])):                         # C
            now += wait
            compact_and_judge(store, now)
            require(offsets(store) == expected, 'after', now, ':',
                    offsets(store), 'instead of', expected)
            found = [b.base for s in store.log().segments for b in s.batches
                     if b.horizon is not None]
            require(found == horizons, 'horizons at', found)
        require(table(store)[b'b'][0] == 9, 'the aborted record is back')


def consumed(store, start):
    with store.as_foreign():
        records, _ = consume('-i', 'committed', f'{store.partition}/@{start}')
    return [r.offset for r in records]


def snapshot():
    """A snapshot says that a transaction is open; all of it is gone since."""
    with tempfile.TemporaryDirectory() as path:
        store, state = Store(path), State()
        store.settings.segment_bytes = 200      # else its snapshot goes too
        store.ours()
        write_epochs(store, '0 0')
        for base, batches in (
                (0, [txn(0, 1, b'a', 0), one(1, b'x', b'v')]),
                (2, [end(2, 1, COMMIT), one(3, b'a', b'new')]),
                (4, [one(4, b'z', b'z'), txn(5, 2, b'c', 0)])):
            if base:
                kafkalog.write_file(store.partition, base, 'snapshot',
                                    state.snapshot())
            for batch in batches:
                state.pass_batch(HEADER.unpack_from(batch.raw),
                                 MemoryRecords(batch.raw).next_batch())
            write_segment(store.partition, base, batches, b'', store.interval,
                          base != 4)
        # The producer is forgotten; passes A, B and C.
        for now in (START + 26 * HOUR, START + 27 * HOUR, START + 3 * DAY):
            compact_and_judge(store, now)
        require(offsets(store) == [1, 3, 4, 5], offsets(store))
        # What is open, and where it began, still ends what is read.
        for start in (1, 2, 3, 4):
            require(consumed(store, start) == [o for o in (1, 3, 4)
                                               if o >= start],
                    'from', start, ':', consumed(store, start))


# --- producers, and other things -----------------------------------------

def producers():
    """The last batch of a producer stays until a day has gone by."""
    time = START + 1
    for late, left in ((DAY - 1, [1, 2, 3]), (DAY, [2, 3])):
        with tempfile.TemporaryDirectory() as path:
            store = Store(path)
            write_epochs(store, '0 0')
            write_segment(store.partition, 0, [
                one(0, b'k', b'v', producer=7, epoch=0, seq=0),
                one(1, b'k', b'v', producer=7, epoch=0, seq=1),
                one(2, b'k', b'new')], b'', store.interval)
            write_segment(store.partition, 3, [one(3, b'z', b'z')], b'',
                          store.interval, False)
            compact_and_judge(store, time + late)
            require(offsets(store) == left, 'after', late, ':', offsets(store))
            require(left[0] == 2 or
                    store.log().segments[0].batches[0].count == 0, 'not empty')


def oddities():
    """No .txnindex though there are aborts; control batches that end nothing;
    times before 1970; attributes that nobody uses; a name that repeats."""
    with tempfile.TemporaryDirectory() as path:
        store = Store(path)
        write_epochs(store, '0 0')
        early = Record(6, -5000, b'e', b'v', ((b'h', None), (b'h', b'')))
        old = [Record(5, -7000, b'a', b'v'), early]
        odd = one(7, b'o', b'v', attributes=128)
        write_segment(store.partition, 0, [
            txn(0, 2, b'b', 0), one(1, b'b', b'new'), end(2, 2, ABORT),
            one(3, b'\0\0\0\2', b'', attributes=CONTROL),
            one(4, b'\0\0\0\7', b'', attributes=CONTROL),
            make_batch(b''.join(encode_record(r, 5, -7000) for r in old),
                       base=5, last_delta=1, base_ts=-7000, max_ts=-5000,
                       count=2), odd, one(8, b'a', b'new')], b'',
                      store.interval)
        write_segment(store.partition, 9, [txn(9, 2, b'z', 1)], b'',
                      store.interval, False)
        before = store.log().segments[0].batches
        store.compact(START + HOUR, '--force')
        require(offsets(store) == [1, 2, 3, 4, 5, 7, 8, 9], offsets(store))
        after = {b.base: b for b in store.log().segments[0].batches}
        require(after[5].records() == [early], 'before 1970:', after[5])
        for i in (1, 2, 3, 4, 6, 7):
            require(after[before[i].base].raw == before[i].raw, 'batch', i,
                    'is not the same')
        require(kafkalog.file_bytes(store.partition, 0, 'txnindex') ==
                kafkalog.ABORTED.pack(0, 2, 0, 2, 3), 'no .txnindex')


# --- leader epochs -------------------------------------------------------

def write_epochs(store, *lines):
    path = os.path.join(store.partition, 'leader-epoch-checkpoint')
    with open(path, 'w', encoding='ascii') as file:
        file.write('\n'.join(('0', str(len(lines))) + lines) + '\n')


def verify_epochs(store, *lines):
    write_epochs(store, *lines)
    return strm(store.path, 'verify', 'topic', code=None).code


def epochs():
    """verify: an epoch may begin where no batch is left, but in no batch."""
    with tempfile.TemporaryDirectory() as path:
        store = Store(path)
        late = one(9, b'b', b'2')
        later = make_batch(late.section, base=9, last_delta=0, count=1,
                           base_ts=late.base_ts, max_ts=late.max_ts, epoch=2)
        write_segment(store.partition, 0, [one(0, b'a', b'1')], b'', 4096)
        write_segment(store.partition, 3, [], b'', 4096)
        write_segment(store.partition, 8, [later], b'', 4096, False)
        for start in (1, 3, 5, 8, 9):
            require(verify_epochs(store, '0 0', f'2 {start}') == 0,
                    'epoch from', start)
        section = encode_record(Record(1, START, b'a', b'1'), 0, START)
        early = make_batch(section, base=0, last_delta=2, count=1,
                           base_ts=START, max_ts=START)
        for base in (3, 8):
            for kind in ('log', 'index', 'timeindex'):
                os.remove(os.path.join(store.partition,
                                       kafkalog.file_name(base, kind)))
        write_segment(store.partition, 0, [early, later], b'', 4096)
        require(verify_epochs(store, '0 0', '2 2') == 3, 'epoch in a batch')
        require(verify_epochs(store, '0 0', '2 3') == 0, 'epoch after it')


def log_end():
    """verify: an empty newest segment begins where the log ends, also when the
    last batch ended before."""
    with tempfile.TemporaryDirectory() as path:
        store = Store(path)
        write_epochs(store, '0 0')
        write_segment(store.partition, 0, [one(0, b'a', b'1')], b'', 4096)
        write_segment(store.partition, 5, [], b'', 4096, False)
        for offset, code in ((5, 0), (6, 3)):
            kafkalog.write_file(store.partition, offset, 'snapshot',
                                State().snapshot())
            found = strm(store.path, 'verify', 'topic', code=None)
            require(found.code == code, 'a snapshot of', offset, ':',
                    found.code, found.out)


if __name__ == '__main__':
    sys.exit(strmtest.main({f.__name__: f for f in (
        markers, snapshot, producers, oddities, epochs, log_end)}, sys.argv[1:]))
