#!/usr/bin/python3
"""strm compact against the reference cleaner.

    compact.py judge GOLDEN           the judge itself, on what Kafka cleaned
    compact.py golden GOLDEN NAME...  copies of golden directories
    compact.py unfinished GOLDEN      a swap of Kafka's that was cut off
    compact.py random FIRST COUNT     random logs, by their seeds
    compact.py large FIRST COUNT      such of some MiB, for many threads
    compact.py rounds FIRST COUNT     more keys than the memory holds

A random log that fails is told with its seed; STRM_KEEP=1 keeps its store.
"""

import os
import random
import shutil
import sys
import tempfile

import cleaner
import kafkalog
from compaction import (DAY, HOUR, Store, compact_and_judge, copy_golden,
                        data_records, make_writable, require_readable, summary,
                        table)
from randomlog import START, Maker
from strmtest import CheckError, require


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


def check_unfinished(golden):
    """A swap that a broker began is finished first."""
    with tempfile.TemporaryDirectory() as top:
        now = START + HOUR
        other = copy_golden(golden, 'crash-swap', os.path.join(top, 'a'), True)
        shutil.copytree(os.path.join(golden, 'crash-swap'),
                        os.path.join(top, 'b'))
        store = Store(os.path.join(top, 'b'))
        make_writable(store.path)
        store.compact(now, '--force')
        plan = other.plan(now)
        for segment in plan.segments:
            require(kafkalog.file_bytes(store.partition, segment.base, 'log')
                    == segment.log(), segment.base, 'differs')
        require(kafkalog.bases(store.partition) ==
                [s.base for s in plan.segments] + [plan.end], 'segments')
        left = [n for n in store.files() if n.count('.') > 1]
        require(not left, left, 'are left')
        require_readable(store)


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


def check_random(seed, path, large):
    rng = random.Random(seed)
    store, maker = random_store(rng, path)
    if large:
        maker.value_size, maker.segment_size = 3000, 2 << 20
        maker.keys = [b'%d' % n for n in range(500)]
        if store.is_ours:
            store.settings.segment_bytes = 4 << 20
            store.ours()
    now = START
    for round_number in range(3):
        maker.extend(rng.randrange(10, 50) * (10 if large else 1))
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


def check_seeds(first, count, large=False):
    for seed in range(first, first + count):
        path = tempfile.mkdtemp(prefix=f'compact-{seed}-')
        try:
            check_random(seed, path, large)
        except (CheckError, ValueError, KeyError) as error:
            if os.environ.get('STRM_KEEP'):
                print('store:', path)
            raise CheckError(f'seed {seed}: {error!r}') from error
        finally:
            if not os.environ.get('STRM_KEEP'):
                shutil.rmtree(path)


# --- rounds --------------------------------------------------------------

def check_rounds(rng, path):
    """In many rounds, headers can differ (a horizon that one round sets does
    for the next); which data records stay, and the table, cannot."""
    store = Store(path)
    maker = Maker(rng, store.partition)
    maker.keys = [b'%d' % n for n in range(800)]
    maker.extend(200, end_all=True)
    maker.roll()
    maker.extend(1)
    now = maker.now + HOUR
    log, plan, old = store.log(), store.plan(now), table(store)
    told = summary(store.compact(now, '--force', '-J', '--memory', '4KiB'))
    require(told['rounds'] > 1, 'one round, with', told['keys'], 'keys')
    want = data_records(plan.segments) + data_records(
        s for s in log.segments if s.base >= plan.end)
    require(data_records(store.log().segments) == want, 'other records')
    require(table(store) == old, 'the table changed')
    require(store.checkpoint() == plan.end, 'clean point', store.checkpoint())
    require_readable(store)


def rounds(first, count):
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as path:
            try:
                check_rounds(random.Random(seed), path)
            except CheckError as error:
                raise CheckError(f'seed {seed}: {error}') from error


def main(argv):
    golden = argv[1] if len(argv) > 1 else None
    try:
        if argv[0] == 'judge':
            judge(golden)
        elif argv[0] == 'golden':
            for name in argv[2:]:
                check_golden(golden, name)
        elif argv[0] == 'unfinished':
            check_unfinished(golden)
        elif argv[0] == 'random':
            check_seeds(int(argv[1]), int(argv[2]))
        elif argv[0] == 'large':
            check_seeds(int(argv[1]), int(argv[2]), True)
        else:
            rounds(int(argv[1]), int(argv[2]))
    except CheckError as error:
        print(' '.join(argv), ':', error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
