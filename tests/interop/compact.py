#!/usr/bin/python3
"""strm compact against the reference cleaner.

    compact.py judge GOLDEN           the judge itself, on what Kafka cleaned
    compact.py golden GOLDEN NAME...  copies of golden directories
    compact.py random FIRST COUNT     random logs, by their seeds
    compact.py markers                transactions, pass by pass
    compact.py snapshot               one that compaction made wrong
    compact.py producers              who is forgotten, and when
    compact.py oddities               what random logs do not hold
    compact.py rounds                 more keys than the memory holds
    compact.py epochs                 a leader of whose time nothing is left

A random log that fails is told with its seed; STRM_KEEP=1 keeps its store.
"""

import os
import random
import shutil
import sys
import tempfile

from kafka.record.memory_records import MemoryRecords

import cleaner
import kafkalog
from compaction import (DAY, HOUR, Store, compact_and_judge, copy_golden,
                        data_records, summary, table)
from check_partition import HEADER
from kafkalog import (ABORT, COMMIT, CONTROL, TRANSACTIONAL, Record,
                      encode_record, make_batch)
from producers import State
from randomlog import START, Maker, write_segment
from strmtest import CheckError, consume, require, strm


# --- the judge -----------------------------------------------------------

def judge_crash_swap(golden):
    """Its .swap files are Kafka's own result of the same run."""
    with tempfile.TemporaryDirectory() as top:
        store = copy_golden(golden, 'crash-swap', os.path.join(top, 'store'))
        store.settings.segment_bytes = 4096
        plan = store.plan(START + HOUR)
        require(len(plan.segments) == 3, 'segments', len(plan.segments))
        for segment in plan.segments:
            name = kafkalog.file_name(segment.base, 'log.swap')
            with open(os.path.join(golden, 'crash-swap/topic-0', name),
                      'rb') as file:
                require(file.read() == segment.log(), name, 'differs')


def judge_cleaned(golden, name, before, after, goes):
    """A log that Kafka cleaned stays as it is up to the time `before`; at
    `after` the records go that goes(batch, record) names, and no more."""
    with tempfile.TemporaryDirectory() as top:
        store = copy_golden(golden, name, os.path.join(top, 'store'))
        log = store.log()
        store.settings.segment_bytes = 1     # every segment is a group
        for segment in store.plan(before).segments:
            want = kafkalog.file_bytes(store.partition, segment.base, 'log')
            require(segment.log() == want, name, ':', segment.base, 'changed')
        plan = store.plan(after)
        left = [r for s in log.segments if s.base < plan.end
                for b in s.batches for r in b.records() if not goes(b, r)]
        found = [r for s in plan.segments for b in s.batches
                 for r in b.records()]
        require(found == left, name, ':', len(found), 'records instead of',
                len(left))


def judge(golden):
    judge_crash_swap(golden)
    horizon = START + 90000000      # of the first run in delete-horizon

    def expired(batch, record):
        return record.value is None and batch.horizon == horizon
    judge_cleaned(golden, 'delete-horizon', horizon - 1, horizon, expired)
    judge_cleaned(golden, 'compacted', START + HOUR, START + HOUR,
                  lambda batch, record: False)


# --- golden directories --------------------------------------------------

# Cleaned by Kafka, or with transactions to clean.
HORIZONS = ('compacted', 'delete-horizon', 'transactions', 'crash-swap')


def check_golden(golden, name):
    """As a broker left it, and as a topic of ours with small segments."""
    # Producers are known for a day; horizons are at 25 and 26 hours.
    clocks = (START + HOUR, START + 3 * DAY)
    if name in HORIZONS:
        clocks = (START + HOUR, START + HOUR, START + 25 * HOUR - 1,
                  START + 25 * HOUR, START + 3 * DAY, START + 5 * DAY)
    for small in (False, True):
        with tempfile.TemporaryDirectory() as top:
            store = copy_golden(golden, name, os.path.join(top, 'store'))
            if small:
                store.settings.segment_bytes = 4096
                store.ours()
            for now in clocks:
                compact_and_judge(store, now)


# --- random logs ---------------------------------------------------------

def require_nothing_left(store, now):
    """Not forced, a second run finds nothing to do and touches nothing."""
    files = store.files()
    done = store.compact(now)
    require(store.files() == files, 'a second run changed files')
    require(b'not compacted' in done.out, 'it does not say so:', done.out)


def random_store(rng, path):
    store = Store(path)
    maker = Maker(rng, store.partition)
    if rng.random() < .7:
        store.settings = cleaner.Settings(
            segment_bytes=rng.choice((3000, 10000, 1 << 30)),
            segment_index_bytes=rng.choice((48, 10 << 20)),
            delete_retention_ms=rng.choice((0, HOUR, DAY)),
            min_compaction_lag_ms=rng.choice((0, 0, 20000)),
            max_compaction_lag_ms=rng.choice((2**63 - 1, HOUR, DAY)),
            min_dirty_ratio=rng.choice((0, .2, .5, 1)))
        store.interval = maker.interval = rng.choice((64, 4096))
        store.ours()
    return store, maker


def check_random(seed, path):
    rng = random.Random(seed)
    store, maker = random_store(rng, path)
    now = START
    for round_number in range(3):
        maker.extend(rng.randrange(10, 50))
        if rng.random() < .15:
            store.raise_log_start(rng.choice(
                [b.base for s in store.log().segments for b in s.batches]))
        now = max(now, maker.now) + rng.choice((1000, 5 * HOUR))
        compact_and_judge(store, now)
        if store.is_ours:
            require_nothing_left(store, now)
        compact_and_judge(store, now)
        now += rng.choice((DAY - 1, DAY, DAY + 1000))
        if round_number == 1:
            maker.end_transactions()
    compact_and_judge(store, now)


def check_seeds(first, count):
    for seed in range(first, first + count):
        path = tempfile.mkdtemp(prefix=f'compact-{seed}-')
        try:
            check_random(seed, path)
        except (CheckError, ValueError, KeyError) as error:
            if os.environ.get('STRM_KEEP'):
                print('store:', path)
            raise CheckError(f'seed {seed}: {error!r}') from error
        finally:
            if not os.environ.get('STRM_KEEP'):
                shutil.rmtree(path)


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


# --- rounds --------------------------------------------------------------

def rounds():
    """With little memory there are several rounds, and the same records."""
    with tempfile.TemporaryDirectory() as path:
        rng, found = random.Random(7), []
        for memory in ('128MiB', '16KiB'):
            store = Store(os.path.join(path, memory))
            rng.seed(7)
            maker = Maker(rng, store.partition, transactions=False)
            maker.keys = [b'%d' % n for n in range(2000)]
            maker.extend(900)
            before = table(store)
            told = summary(store.compact(maker.now + HOUR, '--force', '-J',
                                         '--memory', memory))
            require((told['rounds'] > 1) == (memory == '16KiB'), memory, ':',
                    told['rounds'], 'rounds')
            require(table(store) == before, memory, ': the table changed')
            found.append(data_records(store.log().segments))
        require(found[0] == found[1], 'other records with less memory')


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


def main(argv):
    golden = argv[1] if len(argv) > 1 else None
    try:
        if argv[0] == 'judge':
            judge(golden)
        elif argv[0] == 'golden':
            for name in argv[2:]:
                check_golden(golden, name)
        elif argv[0] == 'random':
            check_seeds(int(argv[1]), int(argv[2]))
        else:
            {'markers': markers, 'snapshot': snapshot,
             'producers': producers, 'oddities': oddities,
             'rounds': rounds, 'epochs': epochs}[argv[0]]()
    except CheckError as error:
        print(' '.join(argv), ':', error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
