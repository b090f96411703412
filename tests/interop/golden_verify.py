#!/usr/bin/python3
"""Hold strm verify to what Kafka says of the directories that it wrote.

    golden_verify.py DIR

For each DIR/NAME: exit 0 where expected.rc is 0, else 3 with findings in the
files that Kafka's problems name, and the sums that Kafka counted.  Also that
a shortened copy of each log is told as torn, and that no bit of the last
batch's base offset can be flipped where the broker closed the log.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from strmtest import STRM, CheckError, require, run

# Kafka's dump tool calls these problems; lookups are right.
CONTENT = ('multi-batch-append',)


def verify(path):
    done = run([STRM, 'verify', '-J', path])
    lines = [json.loads(line) for line in done.out.splitlines()]
    require(lines and lines[-1]['type'] == 'summary', path, done.err)
    return done.code, lines[:-1], lines[-1]


def expected(directory):
    """Files with problems, and Kafka's summary."""
    files, summary = set(), None
    with open(os.path.join(directory, 'expected.jsonl'),
              encoding='utf-8') as file:
        for line in map(json.loads, file):
            if line['type'] == 'problem':
                files.add(line['file'])
            elif line['type'] == 'summary':
                summary = line
    return files, summary


def check(directory):
    name = os.path.basename(directory)
    problems, counted = expected(directory)
    if name in CONTENT:
        problems = set()
    code, findings, summary = verify(os.path.join(directory, 'topic-0'))
    damage = [f for f in findings if f['severity'] == 'damage']
    require({f['file'] for f in damage} == problems, name, 'damage in',
            {f['file'] for f in damage}, 'but Kafka has', problems)
    require(code == (3 if problems else 0), name, 'exit', code)
    if problems or name == 'crash-swap':
        return
    for field in ('segments', 'batches', 'records', 'bytes'):
        require(summary[field] == counted[field], name, field,
                summary[field], 'but Kafka has', counted[field])


def check_cut(directory):
    """Without its last byte the log is torn, whatever it is."""
    with tempfile.TemporaryDirectory() as work:
        copy = os.path.join(work, 'topic-0')
        shutil.copytree(os.path.join(directory, 'topic-0'), copy)
        logs = sorted(n for n in os.listdir(copy) if n.endswith('.log'))
        last = os.path.join(copy, logs[-1])
        if os.path.getsize(last) == 0:
            return
        subprocess.run(['chmod', '-R', 'u+w', copy], check=True)
        os.truncate(last, os.path.getsize(last) - 1)
        code, findings, _ = verify(copy)
        require(code == 3 and
                any(f['kind'] == 'torn-tail' and f['file'] == logs[-1]
                    for f in findings), directory, 'cut: exit', code, findings)


def last_batch(path):
    """Where the last batch of a log starts, or None."""
    at, last = 0, None
    with open(path, 'rb') as file:
        data = file.read()
    while at + 12 <= len(data):
        last = at
        at += 12 + int.from_bytes(data[at + 8:at + 12], 'big')
    return last


def check_base_offset(directory):
    """Gaps are legal, but the store's files know where the log ends."""
    if not os.path.exists(os.path.join(directory, '.kafka_cleanshutdown')):
        return
    with tempfile.TemporaryDirectory() as work:
        copy = os.path.join(work, 'store')
        shutil.copytree(directory, copy)
        subprocess.run(['chmod', '-R', 'u+w', copy], check=True)
        topic = os.path.join(copy, 'topic-0')
        log = os.path.join(topic, max(
            n for n in os.listdir(topic) if n.endswith('.log')))
        at = last_batch(log)
        for bit in range(0 if at is None else 32):
            flip(log, at + 7 - bit // 8, 1 << bit % 8)
            code, _, _ = verify(topic)
            require(code == 3, directory, 'base offset, bit', bit)
            flip(log, at + 7 - bit // 8, 1 << bit % 8)


def flip(path, at, mask):
    with open(path, 'r+b') as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def main(root):
    names = sorted(n for n in os.listdir(root)
                   if os.path.isdir(os.path.join(root, n)))
    require(len(names) > 20, 'too few directories', names)
    for name in names:
        check(os.path.join(root, name))
        check_cut(os.path.join(root, name))
        check_base_offset(os.path.join(root, name))


if __name__ == '__main__':
    try:
        main(os.path.normpath(sys.argv[1]))
    except CheckError as error:
        sys.exit(str(error))
