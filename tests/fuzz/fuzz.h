/*
 * fuzz.h - what the fuzz targets share
 *
 * One program holds all targets; the name that it is run by, "fuzz-TARGET",
 * says which.  A target reads bytes and calls FUZZ_CHECK for everything that
 * must hold whatever the bytes are.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <stream/record.h>

#include "base/buf.h"

struct fuzz_target {
	const char *name;
	void (*run)(const uint8_t *data, size_t size);
	/* NULL: libFuzzer's own.  As LLVMFuzzerCustomMutator. */
	size_t (*mutate)(
	    uint8_t *data, size_t size, size_t most, uint32_t seed);
};

extern const struct fuzz_target fuzz_target_batch;
extern const struct fuzz_target fuzz_target_cleaned;
extern const struct fuzz_target fuzz_target_records;
extern const struct fuzz_target fuzz_target_codec;
extern const struct fuzz_target fuzz_target_log;
extern const struct fuzz_target fuzz_target_index;
extern const struct fuzz_target fuzz_target_checkpoint;
extern const struct fuzz_target fuzz_target_snapshot;
extern const struct fuzz_target fuzz_target_txnindex;
extern const struct fuzz_target fuzz_target_state;
extern const struct fuzz_target fuzz_target_settings;
extern const struct fuzz_target fuzz_target_jsonl;
extern const struct fuzz_target fuzz_target_format;
extern const struct fuzz_target fuzz_target_text;
extern const struct fuzz_target fuzz_target_archive;
extern const struct fuzz_target fuzz_target_manifest;
extern const struct fuzz_target fuzz_target_apply;

#define FUZZ_CHECK(what) \
	do { \
		if (!(what)) \
			fuzz_fail(__FILE__, __LINE__, #what); \
	} while (0)

/* Say what does not hold, and abort. */
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/* libFuzzer's mutations of plain bytes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/* Numbers for mutators. */
uint32_t fuzz_random(uint32_t *seed);

/* A directory of this process in memory, removed at its end. */
int fuzz_directory(void);

/* Make or replace a file in it. */
void fuzz_put_file(const char *name, const uint8_t *data, size_t size);

/* A copy that ends with a NUL, in exactly as much memory; free() it.  NULL
 * when the bytes hold a NUL themselves. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The most bytes that come out of a codec, or stand in a batch. */
enum { FUZZ_LIMIT = 1 << 20 };

/* Change batches of a log, mostly so that they stay whole: mutate.c. */
size_t fuzz_mutate_log(uint8_t *data, size_t size, size_t most, uint32_t seed);

/* Change compressed bytes by their content, in place; 0 when they are no
 * stream of the codec, or it does not fit. */
size_t fuzz_mutate_stream(enum stream_codec codec, uint8_t *data, size_t size,
    size_t most, uint32_t *seed);

/* Put the encoding of some number in place of bytes somewhere. */
size_t fuzz_mutate_varint(
    uint8_t *data, size_t size, size_t most, uint32_t *seed);

#endif
