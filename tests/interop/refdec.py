#!/usr/bin/env python3
"""Compare strm with the second decoder, format/refdec.

    refdec.py vectors         every row of batch.txt, record.txt, codec.txt
    refdec.py corpus          every log file in format/corpus
    refdec.py DIR...          the partition DIR/topic-0 of each

`strm consume -i uncommitted -J` and `refdec` must print the same records, and
agree on whether the file is sound.  format/refdec/README.md says where they
need not agree.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

from strmtest import (BUILD, ROOT, CheckError, consume, parse_line, require,
                      require_same)

REFDEC = os.path.join(BUILD, 'refdec')
VECTORS = os.path.join(ROOT, 'format/vectors')
CODECS = {'gzip': 1, 'snappy': 2, 'lz4': 3, 'zstd': 4}
TIME = 1767225600000
NAME = re.compile(r'(\d{20})\.log(\.swap|\.cleaned|)$')


def refdec(*args):
    done = subprocess.run([REFDEC, *args], capture_output=True, check=False)
    require(done.returncode in (0, 3), 'refdec', *args, ':', done.returncode,
            done.stderr.decode())
    return done.stdout.splitlines(), done.returncode


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def batch(section, count, codec=0):
    """A batch that holds this records section, as record.txt says."""
    tail = struct.pack('>hiqqqhii', codec, 9, TIME, TIME, -1, -1, -1, count)
    tail += section
    return struct.pack('>qiibI', 1000, len(tail) + 9, 0, 2,
                       crc32c(tail)) + tail


def rows(name):
    with open(os.path.join(VECTORS, name), encoding='ascii') as file:
        for line in file:
            if line.strip() and not line.startswith('#'):
                yield line.split()


def unhex(word):
    return b'' if word == '-' else bytes.fromhex(word)


def vector_files():
    """(id, verdict, bytes of a log file) of each row."""
    for row in rows('batch.txt'):
        yield 'batch ' + row[0], row[1], unhex(row[2])
    for row in rows('record.txt'):
        section = unhex(row[3])
        if int(row[2]) > 0:  # else there would be no such batch
            yield 'record ' + row[0], row[1], batch(section, int(row[2]))
    for row in rows('codec.txt'):
        codec = CODECS[row[0].split('-')[0]]
        yield 'codec ' + row[0], row[1], batch(unhex(row[2]), 2, codec)


def compare(what, partition, logs, start=0):
    """The same records; the exit statuses are given for closer looks."""
    lines, theirs = [], 0
    for log in logs:
        more, theirs = refdec(log)
        lines += more
        if theirs:
            break
    got, done = consume('-i', 'uncommitted', partition + '/', code=None)
    expected = [r for r in map(parse_line, lines) if r.offset >= start]
    require_same(got, expected, what)
    require(done.code in (0, 3), what, ': strm says', done.code, done.err)
    # Whether bytes behind the last good batch are torn or damage is for
    # section 10, which looks further than one batch.
    require(theirs or done.code == 0 or any(map(is_torn, logs)), what,
            ': only strm refuses it:', done.err)
    require(done.code or not theirs, what, ': only refdec refuses it')
    return done.code, theirs


def is_torn(log):
    return b'"verdict":"torn"' in refdec('-b', log)[0][-1]


def check_log(what, verdict, data):
    with tempfile.TemporaryDirectory() as top:
        partition = os.path.join(top, 't-0')
        os.mkdir(partition)
        # An offset must be near the one in the name: SPEC section 4.2.
        base = int.from_bytes(data[:8], 'big') if verdict == 'good' else 0
        log = os.path.join(partition, f'{base:020}.log')
        with open(log, 'wb') as file:
            file.write(data)
        ours, theirs = compare(what, partition, [log])
    if verdict in ('good', 'taken'):
        require(ours == theirs == 0, what, ': refused:', ours, theirs)
    elif verdict == 'torn':
        require(theirs == 0, what, ': refdec does not call it torn')
    else:
        require(ours == 3 or not any(data), what, ': taken')


def check_vectors():
    count = 0
    for what, verdict, data in vector_files():
        check_log(what, verdict, data)
        count += 1
    require(count > 140, 'only', count, 'rows')


def check_corpus():
    """Files only: what a directory gives depends on more than batches."""
    corpus = os.path.join(ROOT, 'format/corpus')
    names = [n for n in sorted(os.listdir(corpus)) if n.endswith('.log')]
    require(names, 'no logs in format/corpus')
    for name in names:
        with open(os.path.join(corpus, name), 'rb') as file:
            check_log(name, name.split('-')[0], file.read())


def next_offset(path):
    end = int(os.path.basename(path)[:20])
    with open(path, 'rb') as file:
        data = file.read()
    at = 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from('>qi', data, at)
        end = base + struct.unpack_from('>i', data, at + 23)[0] + 1
        at += 12 + length
    return end


def segments(partition):
    """The log files that count: SPEC section 4.4."""
    found = {'': {}, '.swap': {}, '.cleaned': {}}
    for name in os.listdir(partition):
        match = NAME.match(name)
        if match:
            found[match[2]][int(match[1])] = os.path.join(partition, name)
    limit = min(found['.cleaned'], default=1 << 63)
    chosen = {b: p for b, p in found['.swap'].items() if b < limit}
    low = min(chosen, default=0)
    end = max(map(next_offset, chosen.values()), default=0)
    chosen.update((b, p) for b, p in found[''].items()
                  if not low <= b < end and b not in chosen)
    return [chosen[base] for base in sorted(chosen)]


def log_start(store):
    path = os.path.join(store, 'log-start-offset-checkpoint')
    if os.path.exists(path):
        with open(path, encoding='ascii') as file:
            for line in file:
                fields = line.split()
                if fields[:2] == ['topic', '0']:
                    return int(fields[2])
    return 0


def check_directory(store):
    partition = os.path.join(store, 'topic-0')
    compare(store, partition, segments(partition), log_start(store))


def main(argv):
    try:
        for name in argv:
            if name == 'vectors':
                check_vectors()
            elif name == 'corpus':
                check_corpus()
            else:
                check_directory(name.rstrip('/'))
    except CheckError as error:
        print(error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
