"""Run strm and read its JSON lines: what the Python tests share."""

import base64
import collections
import json
import os
import subprocess

ROOT = os.path.abspath(os.environ.get(
    'STRM_SOURCE_DIR', os.path.join(os.path.dirname(__file__), '../..')))
BUILD = os.environ.get('STRM_BUILD', os.path.join(ROOT, 'build'))
STRM = os.environ.get('STRM', os.path.join(BUILD, 'strm'))

# headers: a tuple of (name, value); key and values are bytes or None.
Record = collections.namedtuple('Record', 'offset ts key value headers')
Result = collections.namedtuple('Result', 'code out err')


class CheckError(Exception):
    """What was found does not hold; the message says what and where."""


def require(condition, *what):
    if not condition:
        raise CheckError(' '.join(str(w) for w in what).replace(' : ', ': '))


def run(command, data=b'', **options):
    """Run a command to its end; a signal n is code -n."""
    done = subprocess.run(command, input=data, capture_output=True,
                          timeout=120, check=False, **options)
    return Result(done.returncode, done.stdout, done.stderr.decode('utf-8', 'replace'))


def strm(store, *args, data=b'', code=0):
    """Run strm on a store; code None takes any exit status."""
    done = run([STRM, '-C', store, *args], data)
    require(code is None or done.code == code, 'strm', *args, ': exit',
            done.code, 'instead of', code, '-', done.err.strip())
    return done


def _bytes(field, name):
    if name + '_b64' in field:
        return base64.b64decode(field[name + '_b64'], validate=True)
    text = field[name]
    return None if text is None else text.encode()


def _header(pair):
    name, value = pair
    if isinstance(value, dict):
        return name, base64.b64decode(value['b64'], validate=True)
    return name, None if value is None else value.encode()


def parse_line(line):
    field = json.loads(line)
    return Record(field['offset'], field['ts'], _bytes(field, 'key'),
                  _bytes(field, 'value'),
                  tuple(_header(h) for h in field.get('headers', ())))


def consume(*args, code=0):
    """The records that `strm consume -J` prints, and its Result."""
    done = run([STRM, 'consume', '-J', *args])
    require(code is None or done.code == code, 'strm consume -J', *args,
            ': exit', done.code, 'instead of', code, '-', done.err.strip())
    require(done.out == b'' or done.out.endswith(b'\n'), 'half a line printed')
    return [parse_line(line) for line in done.out.splitlines()], done


def require_same(got, expected, what):
    """Compare two lists of records, naming the first difference."""
    for i, (g, e) in enumerate(zip(got, expected)):
        require(g == e, what, ': record', i, 'is', str(g)[:400],
                'instead of', str(e)[:400])
    require(len(got) == len(expected), what, ':', len(got),
            'records instead of', len(expected))


def main(tests, argv):
    """Run the named tests (all when none is named): functions without
    arguments.  Exit 1 at the first that fails."""
    for name in argv or tests:
        try:
            tests[name]()
        except CheckError as error:
            print(f'{name}: {error}')
            return 1
        print(f'{name}: ok')
    return 0
