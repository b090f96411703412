#!/usr/bin/python3
"""Each codec, both ways between strm and python3-kafka.

    kafka_decodes.py {strm_writes | strm_reads} CODEC
"""

import os
import random
import struct
import sys
import tempfile

from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from check_partition import check_partition, records_of
from strmtest import CheckError, Record, consume, require, require_same, strm

CODECS = {'none': 0, 'gzip': 1, 'snappy': 2, 'lz4': 3, 'zstd': 4}
TS = 1700000000123


def produce(store, codec, data, *options):
    strm(store, 'produce', 't', '-z', codec, '--timestamp', f'@{TS}', *options,
         data=data)


def write_everything(store, codec):
    """Produce records of every shape; return what must be read back."""
    rng = random.Random(codec)
    expected = []

    def expect(key, value, headers=()):
        expected.append(Record(len(expected), TS, key, value, tuple(headers)))

    produce(store, codec, b'a\n\nb')
    for value in (b'a', b'', b'b'):
        expect(None, value)
    produce(store, codec, b'k\tv\nk2\t\n\tno key\n', '-K', '\t', '-Z',
            '-H', 'src=web', '-H', 'empty=', '-H', 'src=again')
    headers = (('src', b'web'), ('empty', b''), ('src', b'again'))
    for key, value in ((b'k', b'v'), (b'k2', None), (b'', b'no key')):
        expect(key, value, headers)
    produce(store, codec, b'\n\n', '-k', 'fixed')
    expect(b'fixed', b'')
    expect(b'fixed', b'')
    lines = [b'{"n":%d,"user":"u%d"}' % (n, rng.randrange(50))
             for n in range(20000)]
    produce(store, codec, b'\n'.join(lines))
    for line in lines:
        expect(None, line)
    blob = rng.randbytes(200000).replace(b'\0', b'\1')
    produce(store, codec, blob + b'\0' + blob[:1] + b'\0', '-0')
    expect(None, blob)
    expect(None, blob[:1])
    return expected


def strm_writes(codec):
    with tempfile.TemporaryDirectory() as store:
        strm(store, 'topic', 'create', 't', '--set', 'segment.bytes=256KiB')
        expected = write_everything(store, codec)
        batches = check_partition(os.path.join(store, 't-0'))
        require_same(records_of(batches), expected, 'python3-kafka reads')
        codecs = {b.attributes & 7 for b in batches}
        require(codecs <= {CODECS[codec], 0} and CODECS[codec] in codecs,
                'codecs in the log:', codecs)
        require_same(consume(os.path.join(store, 't-0'))[0], expected,
                     'strm reads')


def encode(records, codec, base, log_append_ts=None):
    """One batch by python3-kafka, with a base offset and an epoch."""
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], False, -1, -1, -1,
                                        1 << 30)
    for i, r in enumerate(records):
        builder.append(i, r.ts, r.key, r.value, list(r.headers))
    batch = builder.build()
    struct.pack_into('>q', batch, 0, base)
    struct.pack_into('>i', batch, 12, 7)
    if log_append_ts is not None:
        attributes = struct.unpack_from('>h', batch, 21)[0]
        struct.pack_into('>h', batch, 21, attributes | 8)
        struct.pack_into('>q', batch, 35, log_append_ts)
        struct.pack_into('>I', batch, 17, calc_crc32c(bytes(batch[21:])))
    return bytes(batch)


def random_record(rng, ts):
    def some(most):
        size = rng.choice((0, 1, 7, 63, 64, rng.randrange(most)))
        return rng.randbytes(size) if rng.random() < .3 else b'abc' * (size // 3)

    headers = tuple((rng.choice(('', 'h', 'naïve')),
                     rng.choice((None, b'', some(50))))
                    for _ in range(rng.choice((0, 0, 1, 3))))
    return Record(0, ts, rng.choice((None, some(40))),
                  rng.choice((None, some(3000), some(3000))), headers)


def timestamps(rng, count):
    """Rising, falling, absent throughout, absent here and there, before 1970."""
    kind = rng.randrange(5)
    if kind == 0:
        return [-1] * count
    if kind == 1:
        return [rng.choice((-1, TS + i)) for i in range(count)]
    if kind == 2:
        return [-10 ** 12 - i for i in range(count)]
    return [TS + (i if kind == 3 else -i * 10 ** 9) for i in range(count)]


def strm_reads(codec):
    rng = random.Random(codec + ' read')
    with tempfile.TemporaryDirectory() as parent:
        partition = os.path.join(parent, 'topic-0')
        os.mkdir(partition)
        expected, base = [], 0
        for _ in range(4):
            name = os.path.join(partition, f'{base:020}.log')
            with open(name, 'wb') as log:
                for _ in range(60):
                    times = timestamps(rng, rng.choice((1, 2, 30)))
                    batch = [random_record(rng, ts) for ts in times]
                    stamp = TS if rng.random() < .2 else None
                    log.write(encode(batch, codec, base, stamp))
                    expected += [r._replace(offset=base + i,
                                            ts=r.ts if stamp is None else TS)
                                 for i, r in enumerate(batch)]
                    base += len(batch)
                    base += rng.choice((0, 0, 0, 5))  # as after compaction
        require_same(consume(partition)[0], expected, 'strm reads')
        middle = expected[len(expected) // 2].offset
        require_same(consume(f'{partition}@{middle}')[0],
                     expected[len(expected) // 2:], 'strm reads from the middle')


if __name__ == '__main__':
    try:
        {'strm_writes': strm_writes, 'strm_reads': strm_reads}[sys.argv[1]](
            sys.argv[2])
    except CheckError as error:
        sys.exit(str(error))
