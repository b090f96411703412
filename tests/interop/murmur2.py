#!/usr/bin/python3
"""Keys go to the partitions that Java's client would choose."""

import random
import sys
import tempfile

from kafka.partitioner.default import murmur2

from strmtest import CheckError, consume, require, strm


def keys():
    rng = random.Random(2)
    letters = [b for b in range(256) if b not in b'\t\n']
    for size in range(40):
        for _ in range(40):
            yield bytes(rng.choices(letters, k=size))


def check(partitions):
    with tempfile.TemporaryDirectory() as store:
        strm(store, 'topic', 'create', 't', '--partitions', str(partitions))
        sent = [k for k in keys() if k]
        strm(store, 'produce', 't', '-K', '\t',
             data=b''.join(k + b'\tv\n' for k in sent))
        seen = 0
        for partition in range(partitions):
            for record in consume(f'{store}/t-{partition}')[0]:
                wanted = (murmur2(record.key) & 0x7fffffff) % partitions
                require(wanted == partition, 'key', record.key,
                        'is in partition', partition, 'instead of', wanted)
                seen += 1
        require(seen == len(sent), seen, 'records instead of', len(sent))


if __name__ == '__main__':
    try:
        for count in (2, 7, 8):
            check(count)
    except CheckError as error:
        sys.exit(str(error))
