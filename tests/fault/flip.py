#!/usr/bin/python3
"""T8: every bit of a dense topic is under watch.

    flip.py {none | zstd | lz4}

One bit is flipped at a time, in each file of a partition of ours: verify must
exit 3 and name a file, and say nothing of the sound partition between two
flips.  The short form flips one bit of each third byte, the long one every
bit.
"""

import json
import os
import shutil
import sys

from harness import LONG, Store
from strmtest import CheckError, require, strm

# The state and its locks are no part of what Kafka knows, and are read by
# writers only.
SKIPPED = ('.strm-state',)


def make_topic(store, codec):
    strm(store, 'topic', 'create', 't', '--set', 'segment.bytes=900',
         '--set', 'index.interval.bytes=150')
    for n in range(14):
        lines = b''.join(b'key%d\tvalue %d %d\n' % (i, n, i) for i in range(3))
        strm(store, 'produce', '-z', codec, '-K', '\t', '-H', 'a=b',
             '--timestamp', f'@{1767225600000 + n}', 't', data=lines)


def verify(path):
    """Its exit status and findings."""
    done = strm(os.path.dirname(path), 'verify', '-J', 't', code=None)
    lines = [json.loads(line) for line in done.out.splitlines()]
    return done, [line for line in lines if line['type'] == 'finding']


def bits(size):
    """The bits to flip: all, or one of each third byte."""
    if LONG:
        return range(8 * size)
    return [8 * byte + byte * 5 % 8 for byte in range(0, size, 3)]


def flip(path, bit):
    with open(path, 'r+b') as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def check(directory, name, bit):
    path = os.path.join(directory, name)
    flip(path, bit)
    done, findings = verify(directory)
    flip(path, bit)
    damage = [f for f in findings if f['severity'] == 'damage']
    require(done.code == 3 and damage, f'bit {bit} of {name}: exit', done.code,
            done.out, done.err)
    require(any(f['file'] for f in damage), f'bit {bit} of {name}: no file')


def main(codec):
    with Store() as store:
        make_topic(store.path, codec)
        # Of a copy no durable end is known: what is wrong must show itself.
        copy = store.file('copy')
        shutil.copytree(store.path, copy)
        directory = os.path.join(copy, 't-0')
        names = [n for n in sorted(os.listdir(directory)) if n not in SKIPPED]
        require(len([n for n in names if n.endswith('.log')]) > 1,
                'too few segments', names)
        count = 0
        for name in names:
            size = os.path.getsize(os.path.join(directory, name))
            for bit in bits(size):
                check(directory, name, bit)
                count += 1
            done, findings = verify(directory)
            require(done.code == 0 and not findings, 'after', name, done.out)
    print(f'{codec}: {count} flips')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1]))
    except CheckError as fault:
        sys.exit(f'{sys.argv[1]}: {fault}')
