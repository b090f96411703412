#!/usr/bin/python3
"""Make archives that no honest program makes, from a partition directory.

    archive.py DIRECTORY OUT     one file for each case in OUT; prints
                                 "NAME TEXT" lines: what the refusal must say
    archive.py manifest FILE OUT archives of ours whose index lies
    archive.py misplaced FILE OUT  archives of ours whose index says that one
                                 file stands elsewhere; prints "NAME PATH" lines
    archive.py shifted FILE OUT  one of ours in zstd whose seek table is wrong
    archive.py small DIRECTORY OUT  tars of 1 MB with small files that are large,
                                 and are not larger than one may be; prints
                                 "EXIT NAME" lines
    archive.py topics DIRECTORY OUT  a tar of 30000 topics, each with settings
                                 and a log start
    archive.py bombs FILE OUT    of ours in zstd, of one partition, with a piece
                                 of 1 GiB; prints "NAME TEXT" too

DIRECTORY is a partition, TOPIC-P.  $XXH128 prints the XXH128 of its input.
"""
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile

import zstandard


class Case:
    """A tar that is written member by member."""

    def __init__(self, directory):
        self.directory = directory
        self.name = os.path.basename(directory)
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w",
                                format=tarfile.PAX_FORMAT)

    def add(self, path, content=b"", size=None, kind=tarfile.REGTYPE, link=""):
        info = tarfile.TarInfo(path)
        info.size = len(content) if size is None else size
        info.type = kind
        info.linkname = link
        if size is None:
            self.tar.addfile(info, io.BytesIO(content))
        else:
            # The header claims more than follows.
            self.tar.fileobj.write(info.tobuf(tarfile.PAX_FORMAT))
            self.tar.offset += 512
            self.tar.fileobj.write(content)
        return self

    def good(self, only=None):
        for name in sorted(os.listdir(self.directory)):
            if name.startswith(".") or (only and not name.endswith(only)):
                continue
            with open(os.path.join(self.directory, name), "rb") as file:
                self.add(f"{self.name}/{name}", file.read())
        return self

    def end(self):
        self.tar.close()
        return self.bytes.getvalue()


def cases(directory):
    name = os.path.basename(directory)
    log = next(n for n in sorted(os.listdir(directory)) if n.endswith(".log"))
    with open(os.path.join(directory, log), "rb") as file:
        batches = file.read()

    def case():
        return Case(directory)

    special = {"symlink": (tarfile.SYMTYPE, "is a link"),
               "hardlink": (tarfile.LNKTYPE, "is a link"),
               "fifo": (tarfile.FIFOTYPE, "is a FIFO"),
               "character": (tarfile.CHRTYPE, "is a device"),
               "block": (tarfile.BLKTYPE, "is a device")}
    for what, (kind, text) in special.items():
        yield what, text, case().good().add(
            f"{name}/00000000000000009999.log", kind=kind,
            link="/etc/passwd").end()
    paths = {"absolute": f"/tmp/{name}/{log}", "parent": f"../{name}/{log}",
             "parent-inside": f"{name}/../../{log}",
             "empty-component": f"{name}//{log}", "only-dots": ".."}
    for what, path in paths.items():
        yield what, "is absolute, leads up", case().good().add(
            path, batches).end()
    yield "twice", "is there twice", case().good().good(".log").end()
    yield "twice-dot", "is there twice", case().good().add(
        f"./{name}/{log}", batches).end()
    yield "two-stores", "not in the directory of the other", case().good().add(
        f"b/{name}/00000000000000009999.log", batches).end()
    yield "huge-log", "more than such a file has", case().add(
        f"{name}/{log}", batches, size=1 << 40).end()
    yield "huge-epochs", "more than such a file has", case().add(
        f"{name}/leader-epoch-checkpoint", b"0\n", size=1 << 30).end()
    yield "lying-size", "runcated", case().add(
        f"{name}/{log}", batches, size=len(batches) + 100000).bytes.getvalue()
    yield "cut-short", "runcated", case().good().end()[:1000]
    yield "no-partition", "no partition", case().add("a/b", b"c").end()
    yield "bad-crc", "bad CRC", case().add(
        f"{name}/{log}", batches[:100] + bytes([batches[100] ^ 1]) +
        batches[101:]).add(f"{name}/00000000000000009999.log").end()
    yield "bad-settings", "settings", case().good().add(
        f".strm/topics/{name.rsplit('-', 1)[0]}.json", b"{}").end()
    topic = name.rsplit("-", 1)[0]
    yield "many-partitions", "2000000001 partitions", case().add(
        f"{topic}-2000000000/{log}", batches).end()
    yield "last-partition", "2147483648 partitions", case().add(
        f"{topic}-2147483647/{log}", batches).end()
    yield "settings-of-many", "100000 partitions", case().good().add(
        f".strm/topics/{topic}.json", json.dumps(
            {"version": 1, "topic": topic, "partitions": 100000,
             "topic_id": "A" * 22, "gaps": False, "config": {}}
        ).encode()).end()
    yield "not-a-tar", "", b"nothing of the kind\n" * 1000
    yield "gzip-of-nothing", "", gzip.compress(b"\0" * 5)
    good = case().good().end()
    packed = zstandard.compress(good)
    yield "zstd-cut", "runcated", packed[:len(packed) // 2]
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xff
    yield "zstd-damaged", "", bytes(damaged)
    # 4 GiB of zeros in some hundred kilobytes.
    info = tarfile.TarInfo("zeros")
    info.size = 4 << 30
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    bomb = compressor.compress(info.tobuf(tarfile.GNU_FORMAT))
    zeros = bytes(1 << 24)
    bomb += b"".join(compressor.compress(zeros) for _ in range(256))
    yield "bomb", "times its size", bomb + compressor.flush()
    sparse = tarfile.TarInfo(f"{name}/{log}")
    sparse.size = 0
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                          "GNU.sparse.name": f"{name}/{log}",
                          "GNU.sparse.realsize": str(1 << 62)}
    yield "sparse", "", sparse.tobuf(tarfile.PAX_FORMAT) + bytes(2048)


def sealed(text):
    """The manifest with a last line that fits the others."""
    body = re.sub(r"^end .*\n\Z", "", text, flags=re.M)
    body = (body + f"end {len(body) + 58:020} ").encode()
    digest = subprocess.run([os.environ["XXH128"]], input=body, check=True,
                            stdout=subprocess.PIPE).stdout
    return body + digest


def find_manifest(tar):
    """Where the header is in a plain archive, and how large the text."""
    header = tar.rindex(b"strm-manifest.txt\0")
    return header, int(tar[header + 124:header + 135], 8)


def with_manifest(tar, text):
    header, _ = find_manifest(tar)
    info = tarfile.TarInfo("strm-manifest.txt")
    info.size = len(text)
    return (tar[:header] + info.tobuf(tarfile.USTAR_FORMAT) + text +
            bytes(-len(text) % 512) + bytes(1024))


def manifest_cases(tar):
    """Archives of ours, plain, with another text as their index."""
    header, size = find_manifest(tar)
    text = tar[header + 512:header + 512 + size].decode()

    def change(pattern, to):
        made, count = re.subn(pattern, to, text, count=1, flags=re.M)
        assert count == 1 and made != text, pattern
        return sealed(made)

    changes = {
        "position": (r"^(file \S+\.log) \d+", r"\1 9999999999"),
        "bytes": (r"^(file \S+\.log \d+) \d+", r"\1 77"),
        "digest": (r"^(file \S+\.log \d+ \d+) ..", r"\1 00"),
        "block": (r"^block \d+", r"block 1"),
        "block-huge": (r"^block \d+", r"block 99999999999"),
        "offsets": (r"^(block \d+) \d+ \d+", r"\1 5 4"),
        "path": (r"^file orders-0/0", r"file ../orders-0/0"),
        "partition": (r"^partition orders 0", r"partition orders 3"),
        "topic": (r"^topic orders", r"topic or/ders"),
        "word": (r"^created", r"invented"),
        "version": (r"^strm-archive 1", r"strm-archive 2"),
        "next": (r"^(partition orders 0 \d+) \d+", r"\1 1"),
        # What the last segment and the partition agree on.
        "far": (r"^(partition orders 0 \d+) (\d+)$((?:.|\n)*segment \d+) \2 ",
                r"\1 9223372036854775806\3 9223372036854775806 "),
    }
    for what, (pattern, to) in changes.items():
        yield what, with_manifest(tar, change(pattern, to))


def misplaced_cases(tar):
    """Archives of ours, plain, whose index says that one file stands elsewhere:
    all but that is true."""
    header, size = find_manifest(tar)
    text = tar[header + 512:header + 512 + size].decode()
    for number, line in enumerate(re.findall(r"^file .*$", text, re.M)):
        word, path, position, rest = line.split(" ", 3)
        moved = f"{word} {path} {int(position) + 8} {rest}"
        yield str(number), path, with_manifest(
            tar, sealed(text.replace(line, moved)))


BOMB = 1 << 30


class Pieces:
    """An archive in zstd, piece by piece."""

    def __init__(self, data):
        count = int.from_bytes(data[-9:-5], "little")
        table = data[-9 - 8 * count:-9]
        self.pieces = []  # [packed, size]
        at = 0
        for i in range(count):
            packed, size = (int.from_bytes(table[n:n + 4], "little")
                            for n in (8 * i, 8 * i + 4))
            self.pieces.append([data[at:at + packed], size])
            at += packed

    def unpacked(self, i):
        return zstandard.ZstdDecompressor().decompress(
            self.pieces[i][0], max_output_size=self.pieces[i][1])

    def replace(self, i, content):
        self.pieces[i] = [zstandard.compress(content), len(content)]

    def bytes(self):
        table = b"".join(
            len(packed).to_bytes(4, "little") + size.to_bytes(4, "little")
            for packed, size in self.pieces)
        table += len(self.pieces).to_bytes(4, "little") + bytes.fromhex(
            "00b1ea928f")
        return b"".join(packed for packed, _ in self.pieces) + bytes.fromhex(
            "5e2a4d18") + len(table).to_bytes(4, "little") + table


def bombs(data):
    archive = Pieces(data)
    good = archive.unpacked(-1)
    size = int(good[124:135], 8)
    text = good[512:512 + size].decode()
    archive.replace(-1, good[:512] + bytes(BOMB - 512))
    yield "index", "times its size", archive.bytes()
    # The first block of the log, which the index says is as large.
    archive = Pieces(data)
    log = re.search(r"^file \S+\.log \d+ (\d+)", text, re.M)
    block = re.search(r"^block (\d+)", text, re.M)
    more = BOMB - int(block[1])
    where = next(i for i, piece in enumerate(archive.pieces)
                 if piece[1] == int(block[1]))
    archive.replace(where, bytes(BOMB))
    text = text.replace(block[0], f"block {BOMB}")
    # What follows stands further behind.
    lines = []
    behind = False
    for line in text.splitlines()[:-1]:
        words = line.split(" ")
        if words[0] == "file":
            if behind:
                words[2] = str(int(words[2]) + more)
            if line.startswith(log[0]):
                words[3] = str(int(words[3]) + more)
                behind = True
        lines.append(" ".join(words))
    body = sealed("\n".join(lines) + "\n")
    info = tarfile.TarInfo("strm-manifest.txt")
    info.size = len(body)
    archive.replace(-1, info.tobuf(tarfile.USTAR_FORMAT) + body +
                    bytes(-len(body) % 512) + bytes(1024))
    yield "block", "", archive.bytes()


def shifted(data):
    """What follows the last log comes as two pieces, and the seek table has
    them meet elsewhere."""
    archive = Pieces(data)
    content = archive.unpacked(-2)
    half = len(content) // 2
    archive.pieces[-2:-1] = [
        [zstandard.compress(content[:half]), half + 8],
        [zstandard.compress(content[half:]), len(content) - half - 8]]
    return archive.bytes()


def packed_tar(path, members):
    """A tar in zstd; members are (path, bytes) or (path, count of zeros)."""
    zeros = bytes(1 << 20)
    with open(path, "wb") as file, zstandard.ZstdCompressor(
            level=1).stream_writer(file) as out:
        for name, content in members:
            info = tarfile.TarInfo(name)
            size = content if isinstance(content, int) else len(content)
            info.size = size
            out.write(info.tobuf(tarfile.GNU_FORMAT))
            if isinstance(content, int):
                for _ in range(size >> 20):
                    out.write(zeros)
            else:
                out.write(content)
            out.write(bytes(-size % 512))
        out.write(bytes(1024))


def small_files(directory):
    with open(os.path.join(directory, "00000000000000000000.log"),
              "rb") as file:
        log = f"{os.path.basename(directory)}/{'0' * 20}.log", file.read()
    # So that no ratio tells.
    noise = "noise", os.urandom(900000)
    mark = "strm-archive.txt", b"strm-archive 1\ncreated 0\n"
    starts = [(f"x{i}/log-start-offset-checkpoint", 60 << 20)
              for i in range(40)]
    yield 0, "starts-elsewhere", [noise, log, *starts]
    yield 3, "starts-before", [noise, *starts, log]
    yield 3, "settings", [noise, log] + [
        (f".strm/topics/t{i}.json", 15 << 20) for i in range(150)]
    yield 0, "manifests", [noise, log] + [
        (f"x{i}/strm-manifest.txt", 1000 << 20) for i in range(2)]
    yield 3, "manifest", [mark, noise, log, ("strm-manifest.txt", 1000 << 20)]


def many_topics(directory, count):
    """The settings and the first log of the partition, under many names."""
    store, name = os.path.split(directory)
    topic = name.rpartition("-")[0]
    log = min(n for n in os.listdir(directory) if n.endswith(".log"))
    with open(os.path.join(directory, log), "rb") as file:
        content = file.read()
    with open(os.path.join(store, f".strm/topics/{topic}.json"), "rb") as file:
        settings = file.read()
    case = Case(directory)
    names = [f"t{i}" for i in range(count)]
    lines = ["0", str(count)] + [f"{t} 0 1" for t in names]
    case.add("log-start-offset-checkpoint", "\n".join(lines).encode())
    for t in names:
        case.add(f"{t}-0/{log}", content)
        case.add(f".strm/topics/{t}.json",
                 settings.replace(f'"{topic}"'.encode(), f'"{t}"'.encode()))
    return case.end()


def main():
    if sys.argv[1] == "topics":
        with open(sys.argv[3], "wb") as file:
            file.write(many_topics(sys.argv[2].rstrip("/"), 30000))
        return
    if sys.argv[1] == "shifted":
        with open(sys.argv[2], "rb") as file:
            data = file.read()
        with open(sys.argv[3], "wb") as file:
            file.write(shifted(data))
        return
    if sys.argv[1] == "small":
        for code, what, members in small_files(sys.argv[2]):
            packed_tar(os.path.join(sys.argv[3], what), members)
            print(code, what)
        return
    if sys.argv[1] == "bombs":
        with open(sys.argv[2], "rb") as file:
            data = file.read()
        for what, text, content in bombs(data):
            with open(os.path.join(sys.argv[3], what), "wb") as file:
                file.write(content)
            print(what, text)
        return
    if sys.argv[1] == "manifest":
        with open(sys.argv[2], "rb") as file:
            tar = file.read()
        for what, content in manifest_cases(tar):
            with open(os.path.join(sys.argv[3], what), "wb") as file:
                file.write(content)
            print(what)
        return
    if sys.argv[1] == "misplaced":
        with open(sys.argv[2], "rb") as file:
            tar = file.read()
        for what, path, content in misplaced_cases(tar):
            with open(os.path.join(sys.argv[3], what), "wb") as file:
                file.write(content)
            print(what, path)
        return
    directory, out = sys.argv[1:]
    for what, text, content in cases(directory.rstrip("/")):
        with open(os.path.join(out, what), "wb") as file:
            file.write(content)
        print(what, text)


if __name__ == "__main__":
    main()
