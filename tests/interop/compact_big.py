#!/usr/bin/python3
"""Compact the benchmark's corpus, and look at every record of what is left.

    compact_big.py [LINES [MEMORY [CODEC]]]

5,000,000 lines of bench/generate with 922,822 distinct keys become records at
the offsets of their numbers.  After a compaction the log must hold exactly the
newest record of each key below the clean point, and all from there on, with
keys, values and timestamps as produced; the active segment's files must not
change, nor anything in a second run; a table built from 0 must be that of the
lines themselves; and no more memory may be used than MEMORY (128MiB) and what
the program needs besides.  format/refdec reads the segments, not strm.
"""

import array
import json
import os
import subprocess
import sys
import tempfile

import kafkalog
from strmtest import BUILD, STRM, CheckError, require

# Of the program itself: batches, packed and not, of two segments at a time.
BESIDES = 64 << 20
UNITS = {'KiB': 10, 'MiB': 20, 'GiB': 30}


def in_bytes(text):
    return int(text[:-3]) << UNITS[text[-3:]]


def generate(lines, path):
    with open(path, 'wb') as file:
        subprocess.run([os.path.join(BUILD, 'bench/generate'), '-n',
                        str(lines)], stdout=file, check=True)


def strm(store, *args, **options):
    return subprocess.run([STRM, '-C', store, *args], check=True, **options)


def measured(store, *args):
    """Run strm; its output, and the most memory that it used."""
    child = subprocess.Popen([STRM, '-C', store, *args],
                             stdout=subprocess.PIPE)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    require(status == 0, args, ': status', status)
    return out.decode(), usage.ru_maxrss << 10


def refdec_lines(partition):
    """JSON lines of all data records, segment by segment."""
    for base in kafkalog.bases(partition):
        log = os.path.join(partition, kafkalog.file_name(base, 'log'))
        with subprocess.Popen([os.path.join(BUILD, 'refdec'), log],
                              stdout=subprocess.PIPE) as child:
            yield from child.stdout
        require(child.returncode == 0, 'refdec refuses', log)


def timestamps(partition, lines):
    found = array.array('q', bytes(8 * lines))
    for line in refdec_lines(partition):
        record = json.loads(line)
        found[record['offset']] = record['ts']
    return found


def newest(corpus, below):
    """Number of the newest line of each key, of those below a number."""
    found = {}
    with open(corpus, 'rb') as file:
        for number, line in enumerate(file):
            if number >= below:
                break
            found[line.split(b'\t', 1)[0]] = number
    return found


def check_records(partition, corpus, times, clean_point):
    """Line by line: what must be there, and nothing else.  The number of keys,
    and of those below the clean point."""
    last = newest(corpus, clean_point)
    keys, found = set(last), refdec_lines(partition)
    with open(corpus, 'rb') as file:
        for number, line in enumerate(file):
            key, value = line[:-1].split(b'\t', 1)
            keys.add(key)
            if number < clean_point and last[key] != number:
                continue
            got = json.loads(next(found, b'{}'))
            want = {'offset': number, 'ts': times[number],
                    'key': key.decode(), 'value': value.decode()}
            require({n: got.get(n) for n in want} == want, 'found', got,
                    'instead of', want)
    require(next(found, None) is None, 'there are more records')
    return len(keys), len(last)


def check_table(store, corpus):
    """A consumer from 0 ends with the table of the lines."""
    with subprocess.Popen([STRM, '-C', store, 'consume', '-i', 'committed',
                           '-f', r'%k\t%s\n', 't'],
                          stdout=subprocess.PIPE) as child:
        got = dict(line.split(b'\t', 1) for line in child.stdout)
    with open(corpus, 'rb') as file:
        want = dict(line.split(b'\t', 1) for line in file)
    require(got == want, 'the table of a consumer changed')


def state(partition):
    """What a run that changes nothing must leave: all of each file's status
    but the time of access."""
    found = {}
    for name in os.listdir(partition):
        if not name.startswith('.strm-'):
            s = os.stat(os.path.join(partition, name))
            found[name] = (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
    return found


def main(lines, memory, codec):
    with tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR')) as top:
        store, corpus = os.path.join(top, 'store'), os.path.join(top, 'tsv')
        partition = os.path.join(store, 't-0')
        generate(lines, corpus)
        # Dozens of segments, whatever the number of lines.
        strm(store, 'topic', 'create', 't', '--set', 'cleanup.policy=compact',
             '--set', f'segment.bytes={lines * (3 if codec == "none" else 1)}')
        with open(corpus, 'rb') as file:
            strm(store, 'produce', 't', '-K', r'\t', '-z', codec, stdin=file)
        times = timestamps(partition, lines)
        before = state(partition)
        out, most = measured(store, 'compact', '--memory', memory, 't')
        print(out, end='')
        clean_point = kafkalog.read_checkpoint(os.path.join(
            store, 'cleaner-offset-checkpoint'))['t', 0]
        active = kafkalog.bases(partition)[-1]
        require(clean_point == active, 'clean point', clean_point,
                'and not the active segment,', active)
        after = state(partition)
        for kind in ('log', 'index', 'timeindex'):
            name = kafkalog.file_name(active, kind)
            require(after[name] == before[name], name, 'changed')
        keys, below = check_records(partition, corpus, times, clean_point)
        check_table(store, corpus)
        out, _ = measured(store, 'compact', 't')
        print(out, end='')
        require(state(partition) == after, 'a second run changed files')
        strm(store, 'verify', 't')
        require(most <= in_bytes(memory) + BESIDES, 'it used', most, 'bytes')
        print(f'{lines} records, {keys} keys; {below} newest ones below',
              f'{clean_point}; {most >> 20} MiB at most')


if __name__ == '__main__':
    try:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000000,
             sys.argv[2] if len(sys.argv) > 2 else '128MiB',
             sys.argv[3] if len(sys.argv) > 3 else 'none')
    except CheckError as error:
        sys.exit(str(error))
