#!/usr/bin/env bats
# What make leaves for others: the installed tree, libstream for C programs,
# the archive, and the scripts that the Makefile calls.
# shellcheck disable=SC2154  # run sets variables

load helper

setup() {
    strm_setup
    source_dir=$(realpath "${STRM_SOURCE_DIR:-$BATS_TEST_DIRNAME/../..}")
    build=$(realpath "${STRM_BUILD:-$source_dir/build}")
    dest=$BATS_TEST_TMPDIR/dest
}

# Not a child of the make that runs the tests: no jobs and flags of its own.
make_here() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
        make -s -C "$source_dir" O="$build" "$@"
}

install_to_dest() {
    make_here install DESTDIR="$dest" PREFIX=/usr >/dev/null
}

use_dest() {
    export PKG_CONFIG_PATH=$dest/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest
}

# A build with sanitizers needs their run-time library everywhere.
skip_if_sanitized() {
    ! nm "$build/strm" | grep -q __asan_init || skip 'built with sanitizers'
}

write_program() {
    cat >program.c <<'EOS'
#include <stdio.h>
#include <stream.h>

static int
fail(const struct stream_error *err)
{
	fprintf(stderr, "%s\n", err->text);
	return 1;
}

int
main(void)
{
	struct stream_record out = {.timestamp_ms = 1,
	    .value = {(const unsigned char *)"hello", 5}};
	const struct stream_record *in;
	struct stream_address address;
	struct stream_places places;
	struct stream_producer *producer;
	struct stream_reader *reader;
	struct stream_store *store;
	struct stream_topic *topic;
	struct stream_error err;
	size_t count;

	if (stream_store_open("store", STREAM_STORE_WRITE, 1000, &store, &err) ||
	    stream_topic_create(store, "t", 1, NULL, &err) ||
	    stream_topic_open(store, "t", &topic, &err) ||
	    stream_producer_open(store, topic, NULL, &producer, &err) ||
	    stream_producer_send(producer, 0, &out, &err) ||
	    stream_producer_sync(producer, &err))
		return fail(&err);
	stream_producer_close(producer);
	stream_topic_free(topic);
	if (stream_address_parse("t", 0, &address, &err) ||
	    stream_address_resolve(&address, store, &places, &err) ||
	    stream_reader_open(&places.items[0], NULL, &reader, &err) ||
	    stream_reader_read(reader, &in, &count, &err))
		return fail(&err);
	printf("%zu %.*s\n", count, (int)in->value.size,
	    (const char *)in->value.data);
	stream_reader_close(reader);
	stream_places_release(&places);
	stream_address_release(&address);
	stream_store_close(store);
	return 0;
}
EOS
}

# compile FLAG...: program.c as a user of the library would.
compile() {
    "${CC:-cc}" -std=c17 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -pedantic \
        -Werror -o program program.c "$@"
}

@test "install puts each thing in its place, uninstall leaves nothing" {
    install_to_dest
    [ "$("$dest/usr/bin/strm" --version)" = "strm $(<"$source_dir/VERSION")" ]
    for file in lib/libstream.a lib/libstream.so lib/libstream.so.0 \
        lib/pkgconfig/libstream.pc include/stream.h include/stream/error.h \
        share/bash-completion/completions/strm share/zsh/site-functions/_strm \
        share/fish/vendor_completions.d/strm.fish; do
        [ -f "$dest/usr/$file" ] || {
            echo "missing: $file"
            return 1
        }
    done
    for page in "$source_dir"/man/*.[1-9]; do
        [ ! -e "$page" ] || [ -f "$dest/usr/share/man/man${page##*.}/${page##*/}" ]
    done
    # Internal headers stay at home.
    run -0 find "$dest/usr/include" -type f
    [ "${#lines[@]}" -eq "$(find "$source_dir/libstream/include" -type f | wc -l)" ]
    make_here uninstall DESTDIR="$dest" PREFIX=/usr >/dev/null
    run -0 find "$dest" ! -type d
    [ -z "$output" ]
    [ ! -e "$dest/usr/include/stream" ]
}

@test "what is installed names no directory of the build" {
    install_to_dest
    run grep -rl "$build\|$dest" "$dest/usr/lib/pkgconfig" "$dest/usr/share"
    [ -z "$output" ]
    grep -qx 'prefix=/usr' "$dest/usr/lib/pkgconfig/libstream.pc"
}

@test "directories can be chosen one by one" {
    make_here install DESTDIR="$dest" PREFIX=/opt/x BINDIR=/b LIBDIR=/l \
        INCLUDEDIR=/i MANDIR=/m DATADIR=/d >/dev/null
    [ -x "$dest/b/strm" ]
    [ -f "$dest/l/libstream.a" ]
    [ -f "$dest/i/stream.h" ]
    [ -d "$dest/d/fish" ]
    [ ! -e "$dest/opt" ]
    grep -qx 'libdir=/l' "$dest/l/pkgconfig/libstream.pc"
    make_here uninstall DESTDIR="$dest" PREFIX=/opt/x BINDIR=/b LIBDIR=/l \
        INCLUDEDIR=/i MANDIR=/m DATADIR=/d >/dev/null
    run -0 find "$dest" ! -type d
    [ -z "$output" ]
}

@test "a C program links the shared library by pkg-config" {
    skip_if_sanitized
    install_to_dest
    use_dest
    write_program
    # shellcheck disable=SC2046  # words
    compile $(pkg-config --cflags --libs libstream)
    [ "$(pkg-config --modversion libstream)" = "$(<"$source_dir/VERSION")" ]
    run -0 env LD_LIBRARY_PATH="$dest/usr/lib" ./program
    [ "$output" = '1 hello' ]
    [ "$(strm consume t)" = hello ]
    run -0 ldd program
    grep -q 'libstream.so.0' <<<"$output"
}

@test "a C program links the static library by pkg-config" {
    skip_if_sanitized
    install_to_dest
    rm "$dest"/usr/lib/libstream.so*
    use_dest
    write_program
    # shellcheck disable=SC2046  # words
    compile $(pkg-config --cflags --libs --static libstream)
    run -0 ./program
    [ "$output" = '1 hello' ]
    run -0 ldd program
    [[ $output != *libstream* ]]
}

@test "the shared library exports what its map says, and nothing else" {
    run -0 nm -D --defined-only "$build/libstream.so"
    diff <(awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' <<<"$output" | sort) \
        <(sed -n 's/^\t\(stream_.*\);/\1/p' "$source_dir/libstream/libstream.map" | sort)
    readelf -d "$build/libstream.so" | grep -q 'SONAME.*libstream.so.0'
}

@test "strm loads few libraries, which is why it starts fast" {
    skip_if_sanitized
    run ! grep -vE 'linux-vdso|libisal|libc\.so|libm\.so|ld-linux' < <(ldd "$STRM")
    [ -z "$output" ]
}

@test "the source archive builds" {
    git -C "$source_dir" rev-parse -q --verify HEAD >/dev/null 2>&1 ||
        skip 'no commit to make an archive of'
    skip_if_sanitized
    make_here dist O="$BATS_TEST_TMPDIR/out"
    tar xzf out/strm-*.tar.gz
    cd "strm-$(<"$source_dir/VERSION")"
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
        make -s -j 2 O=build CFLAGS=-O0
    [ "$(build/strm --version)" = "$(strm --version)" ]
}

@test "make help lists every target that is for people" {
    run -0 make_here help
    for target in all check check-unit check-cli check-fault lint sanitize \
        bench install uninstall clean dist deps demo help; do
        grep -qE "^  $target +[a-z]" <<<"$output"
    done
}

@test "the demo shows the same checksum for what went in and came out" {
    run -0 "$source_dir/bench/demo"
    sums=$(grep -E '^[0-9]+ [0-9]+$' <<<"$output")
    [ "$(wc -l <<<"$sums")" -eq 2 ]
    [ "$(uniq <<<"$sums" | wc -l)" -eq 1 ]
    [[ $output == *$'\nhello\nworld\n'* ]]
}

@test "deps that are installed are said in a line" {
    command -v dpkg-query >/dev/null || skip 'not Debian'
    run -0 "$source_dir/deps" --build
    [ "${#lines[@]}" -eq 1 ]
    run -2 "$source_dir/deps" --wrong
}

@test "deps asks for what is missing, as root, without sudo" {
    command -v dpkg-query >/dev/null || skip 'not Debian'
    # Nothing is installed here, and nobody may install.
    mkdir tools
    printf '#!/bin/sh\nexit 1\n' >tools/dpkg-query
    printf '#!/bin/sh\necho called >called\n' >tools/apt-get
    printf '#!/bin/sh\necho 1000\n' >tools/id
    chmod +x tools/*
    for tool in sh sed cat; do
        ln -s "$(command -v $tool)" tools/
    done
    run -1 env PATH="$PWD/tools" sh "$source_dir/deps" --build
    [[ $output == *'apt-get update && apt-get install -y '*libzstd-dev* ]]
    [ ! -e called ]
    printf '#!/bin/sh\necho "sudo $*" >>called\n' >tools/sudo
    chmod +x tools/sudo
    run -0 env PATH="$PWD/tools" sh "$source_dir/deps" --build
    grep -q '^sudo apt-get -q update' called
    grep -q '^sudo env DEBIAN_FRONTEND=noninteractive apt-get install .*libisal-dev' called
}

# ---- the runners: what fails must not look like a pass ------------------

bats_suite() {
    mkdir -p suite
    printf '%s\n' '#!/usr/bin/env bats' "$@" >suite/x.bats
}

run_suite() {
    run env -u BATS_TMPDIR STRM_BUILD="$PWD/b" \
        "$source_dir/tests/run-bats" suite
}

total() {
    STRM_BUILD=$PWD/b "$source_dir/tests/total"
}

@test "a Bats suite that fails, is empty or breaks off fails" {
    bats_suite '@test "a" { :; }' '@test "b" { false; }' '@test "c" { skip why; }'
    run_suite
    [ "$status" -eq 1 ]
    [[ ${lines[-1]} == '1 passed, 1 failed' ]]
    run -1 total
    [[ ${lines[-1]} == '1 passed, 1 failed' ]]
    [[ $output == *'1 skipped, '*'1 why'* ]]
    bats_suite ':'
    run_suite
    [ "$status" -eq 1 ]
    bats_suite '@test "a" { :; }' 'syntax ( error'
    run_suite
    [ "$status" -eq 1 ]
    [[ ${lines[-1]} != *' 0 failed' ]]
    bats_suite '@test "a" { :; }'
    run_suite
    [ "$status" -eq 0 ]
    run -0 total
    [ "${lines[-1]}" = '1 passed, 0 failed' ]
    mkdir none
    run -1 env STRM_BUILD="$PWD/b" "$source_dir/tests/run-bats" none
}

unit_program() {
    printf '#!/bin/sh\n%s\n' "$1" >unit
    chmod +x unit
    run env STRM_BUILD="$PWD/b" "$source_dir/tests/run-unit" ./unit
}

@test "a unit test program that fails, is empty or crashes fails" {
    unit_program 'echo "[  PASSED  ] 3 test(s)."'
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = '3 passed, 0 failed' ]
    unit_program 'echo "[  PASSED  ] 2 test(s)."
        echo "[  FAILED  ] group: 1 test(s), listed below:"
        echo "[  FAILED  ] some_test"; exit 1'
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = '2 passed, 1 failed' ]
    unit_program 'kill -SEGV $$'
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = '0 passed, 1 failed' ]
    unit_program 'exit 0'
    [ "$status" -eq 1 ]
    unit_program 'echo "[  PASSED  ] 3 test(s)."; exit 1'
    [ "$status" -eq 1 ]
    run -1 env STRM_BUILD="$PWD/b" "$source_dir/tests/run-unit"
}

@test "no results at all are no success" {
    mkdir -p b/results
    run -1 total
    [ "$output" = '0 passed, 0 failed' ]
}
