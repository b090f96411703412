#!/usr/bin/env python3
"""Logs that ask for more than they are: what do they cost?

    hostile.py DIR

Makes each log in DIR/t-0, runs `strm consume` on it and checks its exit
status, the time it takes and the most memory that it has: 64 MiB and one
batch, which is 64 MiB as stored and 64 MiB decompressed.  Prints what does
not hold; exit 1 then.
"""

import ctypes
import ctypes.util
import os
import struct
import subprocess
import sys
import time
import zlib

import lz4.frame
import snappy
import zstandard

STRM = os.environ['STRM']
LOG = '00000000000000000000.log'
MIB = 1 << 20
CAP = 64 * MIB
PLAIN = CAP + 64 * MIB   # nothing to decompress, or more than is taken
PACKED = 2 * CAP + 64 * MIB
SECONDS = 30             # a second or less when nothing else runs
TIME = 1767225600000

# Run by a small process: a child's peak is at least that of who forks it.
MEASURE = '''
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
child.stderr.read()
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
'''


ISAL = ctypes.CDLL(ctypes.util.find_library('isal'))
ISAL.crc32_iscsi.restype = ctypes.c_uint32
ISAL.crc32_iscsi.argtypes = ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32


def crc32c(data):
    return ISAL.crc32_iscsi(data, len(data), 0xffffffff) ^ 0xffffffff


def varint(n):
    n = n << 1 ^ n >> 63
    out = b''
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def record(value):
    body = b'\0\0\0\1' + varint(len(value)) + value + b'\0'
    return varint(len(body)) + body


def batch(section, codec, count=1):
    tail = struct.pack('>hiqqqhii', codec, count - 1, TIME, TIME, -1, -1, -1,
                       count) + section
    return struct.pack('>qiibI', 0, len(tail) + 9, 0, 2,
                       crc32c(tail)) + tail


def header(length, count=1):
    return struct.pack('>qiibIhiqqqhii', 0, length, 0, 2, 0, 0, count - 1,
                       TIME, TIME, -1, -1, -1, count)


def gzip(data):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def blocks(data):
    out = b'\x82SNAPPY\0\0\0\0\1\0\0\0\1'
    for at in range(0, len(data), 32768):
        block = snappy.compress(data[at:at + 32768])
        out += struct.pack('>i', len(block)) + block
    return out


def frame(data):
    return lz4.frame.compress(data, block_size=lz4.frame.BLOCKSIZE_MAX4MB,
                              block_linked=False, store_size=False)


def frame_of_zstd(data):
    return zstandard.ZstdCompressor(
        level=1, write_content_size=False).compress(data)


CODECS = {1: gzip, 2: blocks, 3: frame, 4: frame_of_zstd}


def logs():
    """(what, bytes of the log, size to stretch it to, exit status, limit,
    options...)"""
    zeros = bytes(2 * CAP)
    noise = record(os.urandom(MIB) * 60)
    full = record(bytes(CAP - 100))
    for codec, pack in CODECS.items():
        yield (f'a bomb, codec {codec}', batch(pack(zeros), codec, 1000), 0,
               3, PLAIN)
        yield f'a full batch, codec {codec}', batch(pack(full), codec), 0, 0, PACKED
    for codec in (1, 3):
        one = batch(CODECS[codec](noise), codec)
        two = one[:7] + b'\1' + one[8:]  # base offset 1, outside of the CRC
        yield (f'batches that do not shrink, codec {codec}', one + two, 0, 0,
               PACKED)
    yield 'a full batch', batch(full, 0), 0, 0, PLAIN
    # Six bytes of JSON for each byte, two of hexadecimal.
    yield 'as JSON', batch(full, 0), 0, 0, PLAIN, '-J'
    yield 'as hexadecimal', batch(full, 0), 0, 0, PLAIN, '-f', '%s{hex}'
    yield 'a length of 64 MiB', header(CAP - 12), 0, 0, PLAIN
    yield 'the largest length', header(0x7fffffff), 0, 3, PLAIN
    yield 'headers everywhere', header(MIB) * 200000, 0, 3, PLAIN
    yield 'a bad batch of 64 MiB', header(CAP - 12) + bytes(CAP - 61), 0, 3, PLAIN
    yield 'a file of 1 TiB', batch(record(b'x'), 0), 1 << 40, 3, PLAIN


def measure(directory, options):
    done = subprocess.run([sys.executable, '-c', MEASURE, STRM, 'consume',
                           '-i', 'uncommitted', *options,
                           directory + '/'],
                          capture_output=True, check=True, timeout=600)
    code, kib = done.stdout.split()
    return int(code), int(kib) << 10


def main(argv):
    directory = os.path.join(argv[1], 't-0')
    failed = 0
    os.makedirs(directory, exist_ok=True)
    for what, data, size, want, limit, *options in logs():
        with open(os.path.join(directory, LOG), 'wb') as file:
            file.write(data)
            try:
                if size:
                    file.truncate(size)
            except OSError:
                continue  # a file system without such files
        since = time.monotonic()
        code, peak = measure(directory, options)
        took = time.monotonic() - since
        good = code == want and peak <= limit and took < SECONDS
        if not good:
            failed = 1
        print(f'{"ok  " if good else "FAIL"} {what}: exit {code}, '
              f'{peak // MIB} of {limit // MIB} MiB, {took:.1f} s')
    return failed


if __name__ == '__main__':
    sys.exit(main(sys.argv))
