#!/usr/bin/python3
"""Read a directory that Kafka wrote and compare with what Kafka found in it.

    golden.py DIR

Compares `strm consume -J DIR/topic-0` for both isolation levels with
DIR/expected.jsonl (after-recover.jsonl where a crash left a swap half done),
and checks that nothing was written.
"""

import base64
import hashlib
import json
import os
import struct
import sys

from strmtest import CheckError, Record, consume, require, require_same

HASHED = 64 << 10  # larger values are given as their SHA-256
ABORT = 0


def load(path):
    """The batch lines, each with the list of its record lines."""
    batches = []
    with open(path, encoding='utf-8') as file:
        for line in map(json.loads, file):
            if line['type'] == 'batch':
                batches.append(dict(line, records=[]))
            elif line['type'] == 'record':
                batches[-1]['records'].append(line)
    return batches


def decoded(text):
    return None if text is None else base64.b64decode(text)


def as_record(line):
    value = line.get('value_sha256') or decoded(line['value'])
    headers = tuple((h['key'], decoded(h['value'])) for h in line['headers'])
    return Record(line['offset'], line['timestamp'], decoded(line['key']),
                  value, headers)


def hashed(record):
    if record.value is None or len(record.value) <= HASHED:
        return record
    return record._replace(value=hashlib.sha256(record.value).hexdigest())


def log_start(directory):
    path = os.path.join(directory, 'log-start-offset-checkpoint')
    with open(path, encoding='utf-8') as file:
        for line in file.read().splitlines()[2:]:
            topic, partition, offset = line.split()
            if (topic, partition) == ('topic', '0'):
                return int(offset)
    return 0


def good_batches(batches):
    """Those before the first bad one, and whether there is a bad one."""
    for i, batch in enumerate(batches):
        if not batch['valid']:
            return batches[:i], True
    return batches, False


def is_abort(batch):
    key = decoded(batch['records'][0]['key'])
    return struct.unpack('>hh', key)[1] == ABORT


def committed(batches):
    """Batches without aborted ones and without those at or past the last
    stable offset."""
    running, aborted = {}, set()  # producer id: its batches' base offsets
    for batch in batches:
        producer = batch['producer_id']
        if batch['control'] and batch['transactional']:
            ended = running.pop(producer, [])
            aborted |= set(ended) if is_abort(batch) else set()
        elif batch['transactional']:
            running.setdefault(producer, []).append(batch['base_offset'])
    stable = min((offsets[0] for offsets in running.values()),
                 default=float('inf'))
    return [b for b in batches
            if b['base_offset'] < stable and b['base_offset'] not in aborted]


def data_records(batches, start):
    return [as_record(r) for b in batches if not b['control']
            for r in b['records'] if r['offset'] >= start]


def listing(directory):
    """Names, sizes and times of everything there."""
    found = []
    for where, _, files in os.walk(directory):
        for path in [where] + [os.path.join(where, f) for f in files]:
            status = os.stat(path)
            found.append((path, status.st_size, status.st_mtime_ns))
    return sorted(found)


def check(directory):
    name = os.path.basename(directory)
    expected = os.path.join(directory, 'after-recover.jsonl'
                            if name == 'crash-swap' else 'expected.jsonl')
    batches, bad = good_batches(load(expected))
    start, before = log_start(directory), listing(directory)
    for isolation, visible in (('uncommitted', batches),
                               ('committed', committed(batches))):
        got, done = consume('-i', isolation,
                            os.path.join(directory, 'topic-0'),
                            code=3 if bad else 0)
        require_same([hashed(r) for r in got], data_records(visible, start),
                     f'{name}, {isolation}')
        require(bool(done.err) == (name in ('bad-crc', 'torn-tail')),
                name, 'has standard error:', repr(done.err))
    require(listing(directory) == before, name, 'was written to')


if __name__ == '__main__':
    try:
        check(os.path.normpath(sys.argv[1]))
    except CheckError as error:
        sys.exit(str(error))
