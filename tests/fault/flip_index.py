#!/usr/bin/python3
"""T8: no byte of an archive's index can change and lead to other records.

    flip_index.py {none | gzip | zstd}

One byte at a time of what the archive ends with is changed: of a plain one the
manifest, of others its piece and the seek table too.  Then whoever reads it, in
place, as a list, by a restore, from a file and from a pipe, says that it is
damaged, or gives what it would have given.  Of a plain one's manifest, every
reader must say so.  The short form changes some bytes, the long one each, in
two ways.
"""

import os
import shutil
import sys

from harness import LONG, Store
from strmtest import CheckError, require, strm

DAY = 86400000
RANGE = '@2026-03-02..2026-03-04'


def make_topic(store):
    """Segments of a few blocks, a day each."""
    strm(store, 'topic', 'create', 't', '--set', 'segment.bytes=1000')
    for n in range(12):
        lines = b''.join(b'value %d %d\n' % (n, i) for i in range(9))
        strm(store, 'produce', '--timestamp', f'@{1772323200000 + n * DAY // 3}',
             't', data=lines)
    strm(store, 'roll', '-q', 't')


def index_bytes(data, codec):
    """From where to where the index stands."""
    if codec == 'none':
        begin = data.rindex(b'strm-archive 1\n')
        return begin, begin + len(data[begin:].rstrip(b'\0'))
    if codec == 'gzip':
        table = int.from_bytes(data[-26:-18], 'little')
        return data.rindex(b'\x1f\x8b\x08', 0, table), len(data)
    count = int.from_bytes(data[-9:-5], 'little')
    table = len(data) - 17 - 8 * count
    last = int.from_bytes(data[-17:-13], 'little')
    return table - last, len(data)


class Readers:
    """All that read an archive, and what each gives of the sound one."""

    def __init__(self, directory, path):
        self.directory = directory
        self.path = path
        self.commands = {
            'place': ('consume', '-J', path + RANGE),
            'whole': ('consume', '-J', path),
            'tail': ('tail', '-J', '-n', '5', path),
            'sound': ('verify', path),
            'ls': ('archive', 'ls', '-J', path),
            'verify': ('archive', 'verify', path),
        }
        self.expected = {}
        for name in self.names():
            done = self.read(name)
            require(done.code == 0 and done.out, name, done.err)
            self.expected[name] = done.out

    def names(self):
        return [*self.commands, 'pipe', 'restore', 'part', 'restore-pipe']

    def restore(self, *args, data=b''):
        """What is in a topic that is restored, where one is."""
        new = os.path.join(self.directory, 'new')
        os.mkdir(new)
        done = strm(new, 'restore', '-q', *args, data=data, code=None)
        if done.code == 0:
            done = strm(new, 'consume', '-J', 't')
        else:
            require(not os.path.exists(os.path.join(new, 't-0')),
                    'left behind')
        shutil.rmtree(new)
        return done

    def read(self, name):
        with open(self.path, 'rb') as file:
            data = file.read()
        if name == 'pipe':
            return strm(self.directory, 'archive', 'verify', '-', data=data,
                        code=None)
        if name == 'restore':
            return self.restore(self.path)
        if name == 'part':
            return self.restore(self.path, 't' + RANGE)
        if name == 'restore-pipe':
            return self.restore('-', data=data)
        return strm(self.directory, *self.commands[name], code=None)

    def check(self, what, must_tell):
        """How many of them said that it is damaged."""
        told = 0
        for name in self.names():
            done = self.read(name)
            require(done.code == 3 or not must_tell and done.code == 0,
                    what, name, ': exit', done.code, done.err)
            if done.code == 3:
                told += 1
                require(os.path.basename(self.path) in done.err or
                        'standard input' in done.err, what, name, done.err)
                require(not must_tell or not done.out, what, name,
                        ': printed', done.out)
            elif name in ('sound', 'verify', 'pipe'):
                # Without an index the empty segment at its end is not there.
                require(b' 108 records, ' in done.out, what, name, done.out)
            else:
                # One whose seek table does not fit is as one packed anew.
                out = done.out.replace(b'"foreign":true', b'"foreign":false')
                require(out == self.expected[name], what, name,
                        ': gave', out, 'instead of',
                        self.expected[name])
        return told


def changes(begin, end):
    """(byte, mask) of what is tried."""
    if LONG:
        return [(at, mask) for at in range(begin, end) for mask in (1, 0xff)]
    return [(at, (1, 2, 0xff)[at % 3]) for at in range(begin, end, 19)] + [
        (at, 1) for at in (end - 1, end - 2, end - 34, end - 40)]


def main(codec):
    with Store() as store:
        make_topic(store.path)
        path = store.file('a.tar')
        strm(store.path, 'archive', '-q', 't', '-z', codec, '-o', path)
        with open(path, 'rb') as file:
            data = file.read()
        readers = Readers(store.file(''), path)
        begin, end = index_bytes(data, codec)
        tried = changes(begin, end)
        told = 0
        for at, mask in tried:
            with open(path, 'wb') as file:
                file.write(data[:at] + bytes([data[at] ^ mask]) + data[at + 1:])
            told += readers.check(f'byte {at} ^ {mask}', codec == 'none')
        require(told > 0, 'nobody told anything')
        print(f'{codec}: {len(tried)} changes, {told} of '
              f'{len(tried) * len(readers.names())} readings told of damage')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1]))
    except CheckError as fault:
        sys.exit(f'{sys.argv[1]}: {fault}')
