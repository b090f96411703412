"""Run `strm compact` at a chosen time and hold it against the judge.

cleaner.py says what must come out; check_partition.py (python3-kafka), refdec
and `strm verify` look at the files; a table built from 0 must not change.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import re
import shutil

import cleaner
import kafkalog
import refdec
import producers
from check_partition import HEADER, read_batches
from kafka.record.memory_records import MemoryRecords
from kafkalog import ABORTED
from randomlog import index_files
from strmtest import STRM, consume, parse_line, require, run, strm

TOPIC_ID = 'TkB0k2C_TpOxQ0dJq1sYyw'
CHECKPOINT = 'cleaner-offset-checkpoint'
LOG_START = 'log-start-offset-checkpoint'
HOUR = 3600 * 1000
DAY = 24 * HOUR


class Store:
    """A store with one partition, topic-0, as of a broker; ours() takes it
    over."""

    def __init__(self, path, settings=None):
        self.path = path
        self.partition = os.path.join(path, 'topic-0')
        self.settings = settings or cleaner.Settings()
        self.interval = 4096
        self.is_ours = False
        os.makedirs(self.partition, exist_ok=True)

    def ours(self, **config):
        """A topic of ours that was compacted before, with these settings."""
        self.is_ours = True
        names = {n: str(v) for n, v in (
            ('cleanup.policy', 'compact'),
            ('segment.bytes', self.settings.segment_bytes),
            ('segment.index.bytes', self.settings.segment_index_bytes),
            ('delete.retention.ms', self.settings.delete_retention_ms),
            ('min.compaction.lag.ms', self.settings.min_compaction_lag_ms),
            ('max.compaction.lag.ms', self.settings.max_compaction_lag_ms),
            ('min.cleanable.dirty.ratio', self.settings.min_dirty_ratio),
            ('index.interval.bytes', self.interval))}
        names.update(config)
        topics = os.path.join(self.path, '.strm/topics')
        os.makedirs(topics, exist_ok=True)
        with open(os.path.join(topics, 'topic.json'), 'w',
                  encoding='utf-8') as file:
            json.dump({'version': 1, 'topic': 'topic', 'topic_id': TOPIC_ID,
                       'partitions': 1, 'gaps': True, 'config': names}, file)
        with open(os.path.join(self.partition, 'partition.metadata'), 'w',
                  encoding='ascii') as file:
            file.write(f'version: 0\ntopic_id: {TOPIC_ID}')

    @contextlib.contextmanager
    def as_foreign(self):
        """Its settings are put away meanwhile."""
        settings = os.path.join(self.path, '.strm/topics/topic.json')
        is_ours = os.path.exists(settings)
        if is_ours:
            os.rename(settings, settings + '-away')
        try:
            yield
        finally:
            if is_ours:
                os.rename(settings + '-away', settings)

    def checkpoint(self, name=CHECKPOINT):
        found = kafkalog.read_checkpoint(os.path.join(self.path, name))
        return found.get(('topic', 0))

    def raise_log_start(self, offset):
        with open(os.path.join(self.path, LOG_START), 'w',
                  encoding='ascii') as file:
            file.write(f'0\n1\ntopic 0 {offset}\n')

    def log(self):
        return cleaner.Log(self.partition,
                           self.checkpoint(LOG_START) or 0)

    def plan(self, now):
        return cleaner.clean(self.log(), self.settings, self.checkpoint(), now)

    def files(self):
        """All of the partition but what is strm's own: {name: bytes}."""
        found = {}
        for name in sorted(os.listdir(self.partition)):
            if not name.startswith('.strm-'):
                with open(os.path.join(self.partition, name), 'rb') as file:
                    found[name] = file.read()
        return found

    def compact(self, now, *options, code=0):
        done = at(now, [STRM, '-C', self.path, 'compact', *options, 'topic'])
        require(done.code == code, 'compact', *options, ': exit', done.code,
                'instead of', code, '-', done.err.strip())
        return done


def at(now, command):
    """Run a command whose clock stands still at a time in milliseconds.

    In their middle: faketime reckons with a double.
    """
    seconds = datetime.datetime.utcfromtimestamp(now // 1000)
    return run(['faketime', '-m', '-f', '--exclude-monotonic',
                f'{seconds:%Y-%m-%d %H:%M:%S}.{now % 1000:03}5', *command],
               env=dict(os.environ, TZ='UTC', NO_FAKE_STAT='1'))


# --- comparing -----------------------------------------------------------

def require_batches(got, want, where):
    for i, (g, w) in enumerate(zip(got, want)):
        here = f'{where}: batch {i}, at offset {w.base}'
        require(g.header() == w.header(), here, ': header', g.header(),
                'instead of', w.header())
        require(g.section == w.section, here, ': records', g.records(),
                'instead of', w.records())
        # What no codec packed, and what was copied, is the same to the byte.
        require(w.codec != kafkalog.NONE or g.raw == w.raw, here, ': bytes')
    require(len(got) == len(want), where, ':', len(got), 'batches instead of',
            len(want), '-', [b.base for b in got][:20],
            [b.base for b in want][:20])


def require_copied(got, before, where):
    """A batch that lost nothing is the same bytes, whatever its codec."""
    sources = {b.base: b for s in before.segments for b in s.batches}
    for batch in got:
        source = sources[batch.base]
        require(batch.header() != source.header() or batch.raw == source.raw,
                where, ': batch at offset', batch.base, 'was packed again')


def joined(segments):
    """Neighbours of which nothing is left are one, at the end of a run."""
    found = []
    for segment in segments:
        if found and not segment.batches and not found[-1].batches:
            found[-1] = cleaner.NewSegment(
                found[-1].base, found[-1].sources + segment.sources, [], [])
        else:
            found.append(segment)
    return found


def as_strm(plan, log):
    """The plan, less what strm does not do though Kafka would: clean segments
    from which nothing goes are not merged, or each run would change files.
    But those of which nothing is left are, at once."""
    found, by_base = [], {s.base: s for s in log.segments}
    following = [s.base for s in plan.segments[1:]] + [plan.end]
    for segment, after in zip(plan.segments, following):
        sources = [by_base[base] for base in segment.sources]
        whole = [b.raw for s in sources for b in s.batches]
        if after <= plan.dirty and whole == [b.raw for b in segment.batches]:
            ends = [s.base for s in sources[1:]] + [after]
            found += [cleaner.NewSegment(s.base, [s.base], s.batches, [
                e for e in segment.aborted if s.base <= e[3] < end])
                for s, end in zip(sources, ends)]
        else:
            found.append(segment)
    return dataclasses.replace(plan, segments=joined(found))


def expected_names(before, plan):
    """The files of a partition after a round, from those before it."""
    replaced = {base for s in plan.segments for base in s.sources}
    kept = {s.base for s in plan.segments}
    names = set()
    for name in before:
        match = re.fullmatch(r'(\d{20})\.(\w+)', name)
        if not match or int(match[1]) not in replaced:
            names.add(name)
        elif match[2] == 'snapshot' and int(match[1]) in kept:
            names.add(name)
    for segment in plan.segments:
        kinds = ['log', 'index', 'timeindex'] + ['txnindex'] * bool(
            segment.aborted)
        names.update(kafkalog.file_name(segment.base, k) for k in kinds)
    return names


def require_plan(store, plan, log, before, mtimes):
    """The partition is what the plan says."""
    after = store.files()
    names = expected_names(before, plan)
    require(set(after) == names, 'files', sorted(set(after) ^ names),
            'are there and should not be, or the other way round')
    replaced, walk = set(), aborted_by_walk(log)
    for segment in plan.segments:
        where = f'{segment.base:020}.log'
        got = kafkalog.read_batches(after[where])
        require_batches(got, segment.batches, where)
        require_copied(got, log, where)
        require_aborted(before, after, segment, walk)
        require_indexes(store, after, segment.base, got)
        require(mtime(store, segment.base) == mtimes[segment.sources[-1]],
                where, ': time of modification')
        replaced.update(segment.sources)
    # A writer may rebuild the indexes of the newest segment: SPEC 5.4.
    active = log.segments[-1].base
    for name, data in after.items():
        if re.match(r'\d{20}\.', name) and int(name[:20]) not in replaced:
            require(data == before[name] or name in (
                kafkalog.file_name(active, 'index'),
                kafkalog.file_name(active, 'timeindex')), name, 'changed')
    point, want = store.checkpoint(), max(plan.dirty, plan.end)
    require(cleaner.first_dirty(log, point) == want, 'clean point', point,
            'instead of', want)


def aborted_by_walk(log):
    """{marker: .txnindex entry} as recovery rebuilds them.  Kafka's cleaner
    copies entries instead: the first offset then is that of a batch which an
    earlier round may have taken."""
    state, found = producers.State(), {}
    for batch in (b for s in log.segments for b in s.batches):
        entry = state.pass_batch(HEADER.unpack_from(batch.raw),
                                 MemoryRecords(batch.raw).next_batch())
        if entry:
            found[batch.base] = entry
    return found


def require_aborted(before, after, segment, walk):
    name = kafkalog.file_name(segment.base, 'txnindex')
    got = after.get(name, b'')
    want = b''.join(walk[marker] for _, _, _, marker, _ in segment.aborted)
    if segment.log() == before[kafkalog.file_name(segment.base, 'log')]:
        want = before.get(name, b'')    # the segment was left alone
    require(got == want, segment.base, ': .txnindex',
            list(ABORTED.iter_unpack(got)), 'instead of',
            list(ABORTED.iter_unpack(want)))


def require_indexes(store, files, base, batches):
    """Those that Kafka's recovery would make: SPEC 5.3."""
    made = index_files(batches, base, store.interval)
    for kind, data in zip(('index', 'timeindex'), made):
        name = kafkalog.file_name(base, kind)
        require(files[name] == data, name, 'is not what recovery makes')


def mtime(store, base):
    return os.stat(os.path.join(store.partition, kafkalog.file_name(
        base, 'log'))).st_mtime_ns


def data_records(segments):
    return [r for s in segments for b in s.batches if not b.control
            for r in b.records()]


def require_readable(store):
    """Three other decoders read the same, and verify is content."""
    lines = []
    for base in kafkalog.bases(store.partition):
        read_batches(kafkalog.file_bytes(store.partition, base, 'log'))
        found, code = refdec.refdec(os.path.join(
            store.partition, kafkalog.file_name(base, 'log')))
        require(code == 0, 'refdec refuses', base)
        lines += found
    got = [(r.offset, r.ts, r.key, r.value) for r in map(parse_line, lines)]
    want = [(r.offset, r.ts, r.key, r.value)
            for r in data_records(store.log().segments)]
    require(got == want, 'refdec reads other records')
    done = strm(store.path, 'verify', 'topic', code=None)
    require(done.code == 0, 'verify: exit', done.code, done.out.decode(),
            done.err)


def table(store):
    """What a consumer of committed records builds from 0 on."""
    found = {}
    # A topic of ours has no transactions, and is read as if so.
    with store.as_foreign():
        records, _ = consume('-i', 'committed', store.partition + '/')
    for r in records:
        if r.key is None:
            continue
        if r.value is None:
            found.pop(r.key, None)
        else:
            found[r.key] = (r.offset, r.ts, r.value, r.headers)
    return found


COUNTED = ('keys', 'batches_in', 'batches_out', 'records_in', 'records_out',
           'bytes_in', 'superseded', 'expired_tombstones', 'aborted',
           'without_key', 'markers', 'tombstones_out')


def require_verdict(store, log, now):
    """Not forced, it is cleaned if a broker would."""
    if not store.is_ours:
        store.compact(now, '-N', code=2)
        return
    told = summary(store.compact(now, '-N', '-J'))
    require(told['cleans'] == cleaner.is_due(log, store.settings,
                                             store.checkpoint(), now),
            'cleans or not:', told)


def summary(done):
    return json.loads(done.out.splitlines()[-1])


def require_told(told, plan, log, what):
    """The report says what the judge counted."""
    if not told['cleans']:
        require(len(log.segments) == 1, what, ': not cleaned:', told)
        return
    want = {name: plan.counts[name] for name in COUNTED}
    want['clean_bytes'], want['dirty_bytes'] = cleaner.bytes_of(
        log, plan.dirty, plan.end)
    want['from_offset'], want['uncleanable_offset'] = plan.dirty, plan.end
    differs = {n: (told.get(n), w) for n, w in want.items()
               if told.get(n) != w}
    require(not differs, what, ': told, and counted:', differs)


REASONS = {'superseded': 'superseded', 'aborted': 'aborted',
           'expired_tombstones': 'expired'}


def require_why(store, plan, log, now):
    """--why says of each record of a key what the judge does with it."""
    records = [r for r in data_records(log.segments)
               if r.key and r.key.isascii() and r.offset >= log.log_start]
    if not records or len(log.segments) == 1:
        return
    key = records[len(records) // 2].key
    done = store.compact(now, '--force', '-J', '--why', key.decode())
    told = [json.loads(line) for line in done.out.splitlines()[:-1]]
    for record in told:
        offset, reason = record['offset'], plan.gone.get(record['offset'])
        require(record['stays'] == (reason is None) and
                (reason is None or record['reason'] == REASONS[reason]) and
                (reason != 'superseded' or
                 record['by_offset'] == plan.newest[key]) and
                (record['reason'] == 'above') == (offset >= plan.end),
                '--why', key, ':', record, 'but', reason)
    want = [r.offset for r in records if r.key == key]
    require([r['offset'] for r in told if r['offset'] >= log.log_start] ==
            want, '--why', key, ': other records than', want)


def compact_and_judge(store, now, *options):
    """One forced run, compared with the judge in every respect."""
    log, before, old = store.log(), store.files(), table(store)
    plan = as_strm(store.plan(now), log)
    mtimes = {s.base: mtime(store, s.base) for s in log.segments}
    require_verdict(store, log, now)
    dry = summary(store.compact(now, '--force', '-N', '-J', *options))
    require(store.files() == before, 'a dry run changed files')
    require_told(dry, plan, log, 'dry run')
    require_why(store, plan, log, now)
    told = summary(store.compact(now, '--force', '-J', *options))
    require_told(told, plan, log, 'run')
    require_plan(store, plan, log, before, mtimes)
    require_readable(store)
    new = table(store)
    require(new == old, 'the table changed:', sorted(
        k for k in old.keys() | new.keys() if old.get(k) != new.get(k))[:9])
    return plan


def make_writable(path):
    os.chmod(path, 0o755)
    for top, directories, files in os.walk(path):
        for entry in directories + files:
            os.chmod(os.path.join(top, entry), 0o755)


def copy_golden(golden, name, path, swapped=False):
    """A writable copy of a golden store, with an unfinished swap undone, or
    with what it was to replace away."""
    shutil.copytree(os.path.join(golden, name), path)
    make_writable(path)
    for top, _, files in os.walk(path):
        for entry in files:
            old = os.path.join(top, entry)
            if swapped and entry.endswith('.swap'):
                os.replace(old, old[:-len('.swap')])
            elif entry.endswith('.deleted' if swapped else '.swap'):
                os.remove(old)
            elif entry.endswith('.deleted'):
                os.rename(old, old[:-len('.deleted')])
    return Store(path)
