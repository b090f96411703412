"""Batches v2 in Python: decode, encode, and the files around them.

Written from format/SPEC.md sections 1 to 6 for the judge of compaction
(cleaner.py) and the maker of its logs (randomlog.py): nothing of strm's code
and nothing of python3-kafka's is in it, so that three decoders can be held
against one another.
"""

import dataclasses
import os
import re
import struct
import zlib

import lz4.frame
import snappy
import zstandard

LOG_APPEND_TIME, TRANSACTIONAL, CONTROL, HORIZON = 8, 16, 32, 64
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
ABORT, COMMIT = 0, 1

HEADER = struct.Struct('>qiibIhiqqqhii')
HEADER_SIZE = 61
CRC_FROM = 21
ABORTED = struct.Struct('>hqqqq')
PRODUCER = struct.Struct('>qhiqiqiq')
XERIAL = b'\x82SNAPPY\0' + struct.pack('>ii', 1, 1)
XERIAL_BLOCK = 32 << 10


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc, table = 0xffffffff, CRC_TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


# --- varints -------------------------------------------------------------

def varint(number):
    """A varint or a varlong: the same bytes where both can say it."""
    folded = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while folded > 127:
        out.append(folded & 127 | 128)
        folded >>= 7
    out.append(folded)
    return bytes(out)


def take_varint(data, at):
    """The number, and where the next byte is."""
    folded = shift = 0
    while True:
        byte = data[at]
        at += 1
        folded |= (byte & 127) << shift
        if byte < 128:
            return folded >> 1 ^ -(folded & 1), at
        shift += 7


# --- codecs --------------------------------------------------------------

def compress(data, codec):
    if codec == GZIP:
        packer = zlib.compressobj(wbits=31)
        return packer.compress(data) + packer.flush()
    if codec == SNAPPY:
        blocks = [snappy.compress(data[i:i + XERIAL_BLOCK])
                  for i in range(0, len(data), XERIAL_BLOCK)]
        return XERIAL + b''.join(struct.pack('>i', len(b)) + b
                                 for b in blocks)
    if codec == LZ4:
        return lz4.frame.compress(
            data, block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=False,
            store_size=False)
    if codec == ZSTD:
        return zstandard.ZstdCompressor(write_content_size=False).compress(data)
    return data


def decompress(data, codec):
    if codec == GZIP:
        return zlib.decompress(data, wbits=31)
    if codec == SNAPPY:
        if data[:8] != XERIAL[:8]:
            return snappy.uncompress(data)
        out, at = [], len(XERIAL)
        while at < len(data):
            size, = struct.unpack_from('>i', data, at)
            out.append(snappy.uncompress(data[at + 4:at + 4 + size]))
            at += 4 + size
        return b''.join(out)
    if codec == LZ4:
        return lz4.frame.decompress(data)
    if codec == ZSTD:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if codec != NONE:
        raise ValueError(f'codec {codec}')
    return data


# --- records and batches -------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Record:
    offset: int
    ts: int
    key: bytes
    value: bytes
    headers: tuple = ()


def _sized(field):
    return varint(-1) if field is None else varint(len(field)) + field


def encode_record(record, base_offset, base_ts):
    body = (b'\0' + varint(record.ts - base_ts) +
            varint(record.offset - base_offset) + _sized(record.key) +
            _sized(record.value) + varint(len(record.headers)))
    for name, value in record.headers:
        body += _sized(name) + _sized(value)
    return varint(len(body)) + body


def _take_sized(data, at):
    size, at = take_varint(data, at)
    return (None, at) if size < 0 else (data[at:at + size], at + size)


def take_record(data, at, base_offset, base_ts):
    size, at = take_varint(data, at)
    end = at + size
    ts, at = take_varint(data, at + 1)
    offset, at = take_varint(data, at)
    key, at = _take_sized(data, at)
    value, at = _take_sized(data, at)
    count, at = take_varint(data, at)
    headers = []
    for _ in range(count):
        name, at = _take_sized(data, at)
        content, at = _take_sized(data, at)
        headers.append((name, content))
    if at != end:
        raise ValueError(f'record at {at}: ends at {end}')
    return Record(base_offset + offset, base_ts + ts, key, value,
                  tuple(headers)), at


@dataclasses.dataclass
class Batch:
    """A batch as it stands in a file (raw) and what its header says."""
    base: int
    epoch: int
    attributes: int
    last_delta: int
    base_ts: int
    max_ts: int
    producer: int
    producer_epoch: int
    sequence: int
    count: int
    section: bytes          # decompressed
    raw: bytes

    @property
    def last(self):
        return self.base + self.last_delta

    @property
    def codec(self):
        return self.attributes & 7

    @property
    def control(self):
        return bool(self.attributes & CONTROL)

    @property
    def transactional(self):
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def horizon(self):
        return self.base_ts if self.attributes & HORIZON else None

    def header(self):
        """All fields but length and CRC, which hang on the compressor."""
        return (self.base, self.epoch, self.attributes, self.last_delta,
                self.base_ts, self.max_ts, self.producer, self.producer_epoch,
                self.sequence, self.count)

    def records(self):
        found, at = [], 0
        for _ in range(self.count):
            record, at = take_record(self.section, at, self.base, self.base_ts)
            if self.attributes & LOG_APPEND_TIME:
                record = dataclasses.replace(record, ts=self.max_ts)
            found.append(record)
        if at != len(self.section):
            raise ValueError(f'batch {self.base}: bytes after the records')
        return found

    def marker(self):
        """(type, coordinator epoch) of a control batch, or None."""
        if self.count == 0:
            return None
        record = self.records()[0]
        kind, = struct.unpack_from('>h', record.key, 2)
        coordinator = -1
        if record.value is not None and len(record.value) >= 6:
            coordinator, = struct.unpack_from('>i', record.value, 2)
        return kind, coordinator


def make_batch(section, *, base, last_delta, base_ts, max_ts, count, epoch=0,
               attributes=0, producer=-1, producer_epoch=-1, sequence=-1):
    """A batch from its decompressed records section and header fields."""
    packed = compress(section, attributes & 7)
    tail = struct.pack('>hiqqqhii', attributes, last_delta, base_ts, max_ts,
                       producer, producer_epoch, sequence, count) + packed
    raw = struct.pack('>qiibI', base, len(tail) + 9, epoch, 2,
                      crc32c(tail)) + tail
    return Batch(base, epoch, attributes, last_delta, base_ts, max_ts,
                 producer, producer_epoch, sequence, count, section, raw)


def read_batches(data):
    """The batches of a log file's bytes; ValueError if one is not whole."""
    batches, at = [], 0
    while at < len(data):
        fields = HEADER.unpack_from(data, at)
        (base, length, epoch, magic, crc, attributes, last_delta, base_ts,
         max_ts, producer, producer_epoch, sequence, count) = fields
        raw = data[at:at + 12 + length]
        if magic != 2 or len(raw) != 12 + length:
            raise ValueError(f'batch at {at}: magic {magic}, cut or torn')
        if crc32c(raw[CRC_FROM:]) != crc:
            raise ValueError(f'batch at {at}: bad CRC')
        section = raw[HEADER_SIZE:]
        batches.append(Batch(
            base, epoch, attributes, last_delta, base_ts, max_ts, producer,
            producer_epoch, sequence, count,
            decompress(section, attributes & 7) if section else b'', raw))
        at += 12 + length
    return batches


# --- files ---------------------------------------------------------------

def bases(directory, kind='log'):
    """Offsets in the names of the plain files of a kind, rising."""
    return sorted(int(name[:20]) for name in os.listdir(directory)
                  if re.fullmatch(rf'\d{{20}}\.{kind}', name))


def file_name(base, kind):
    return f'{base:020}.{kind}'


def file_bytes(directory, base, kind):
    """What is in a segment's file; nothing when there is no such file."""
    try:
        with open(os.path.join(directory, file_name(base, kind)),
                  'rb') as file:
            return file.read()
    except FileNotFoundError:
        return b''


def write_file(directory, base, kind, data):
    with open(os.path.join(directory, file_name(base, kind)), 'wb') as file:
        file.write(data)


def read_checkpoint(path):
    """{(topic, partition): offset}; empty when there is no such file."""
    try:
        with open(path, encoding='ascii') as file:
            lines = file.read().splitlines()[2:]
    except FileNotFoundError:
        return {}
    fields = [line.split() for line in lines]
    return {(f[0], int(f[1])): int(f[2]) for f in fields}
