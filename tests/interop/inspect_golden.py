#!/usr/bin/python3
"""Hold `strm inspect -J` against what Kafka found in a directory it wrote.

    inspect_golden.py DIR

Each line of DIR/expected.jsonl must be a line of the output, in that order and
with nothing between them: every field of it the same, keys, values and headers
but for how bytes are written.  Kafka puts the text of its exceptions into some
messages; of those only the kind is compared.
"""

import base64
import hashlib
import json
import os
import sys

from strmtest import STRM, CheckError, require, run

HASHED = 64 << 10  # larger values are given as their SHA-256
EXCEPTIONS = ('index-sanity', 'timeindex-sanity')
DAMAGED = ('bad-crc',)


def encoded(line, name):
    """The member in base64, as Kafka's side has it."""
    if name + '_b64' in line:
        return line.pop(name + '_b64')
    text = line[name]
    return None if text is None else base64.b64encode(text.encode()).decode()


def header(pair):
    name, value = pair
    if isinstance(value, dict):
        value = value['b64']
    elif value is not None:
        value = base64.b64encode(value.encode()).decode()
    return {'key': name, 'value': value}


def normalised(line):
    if line['type'] != 'record':
        return line
    line = dict(line)
    line['key'], line['value'] = encoded(line, 'key'), encoded(line, 'value')
    line['headers'] = [header(pair) for pair in line['headers']]
    value = base64.b64decode(line['value'] or '')
    if len(value) > HASHED:
        line['value_sha256'] = hashlib.sha256(value).hexdigest()
        del line['value']
    return line


def compare(number, got, expected):
    for name, value in expected.items():
        if name == 'message' and expected['kind'] in EXCEPTIONS:
            continue
        require(name in got and got[name] == value, f'line {number}',
                f'({expected["type"]}): {name} is', repr(got.get(name))[:200],
                'instead of', repr(value)[:200])


def check(directory):
    done = run([STRM, 'inspect', '-J', os.path.join(directory, 'topic-0')])
    require(done.err == '', 'has standard error:', done.err)
    got = [normalised(json.loads(line)) for line in done.out.splitlines()]
    with open(os.path.join(directory, 'expected.jsonl'),
              encoding='utf-8') as file:
        expected = [json.loads(line) for line in file]
    for i, pair in enumerate(zip(got, expected), 1):
        compare(i, *pair)
    require(len(got) == len(expected), len(got), 'lines instead of',
            len(expected))
    code = 3 if os.path.basename(directory) in DAMAGED else 0
    require(done.code == code, 'exit', done.code, 'instead of', code)


if __name__ == '__main__':
    try:
        check(os.path.normpath(sys.argv[1]))
    except CheckError as error:
        sys.exit(f'{sys.argv[1]}: {error}')
