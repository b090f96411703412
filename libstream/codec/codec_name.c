/*
 * codec_name.c - the names that people and topic settings give to codecs
 *
 * Apart from compress.c, so that a program that only prints a name is not
 * linked with four compression libraries.
 */
#include <stream/record.h>

#include <string.h>

/* Kafka's words for compression.type. */
static const char *const names[] = {
    [STREAM_CODEC_NONE] = "none",
    [STREAM_CODEC_GZIP] = "gzip",
    [STREAM_CODEC_SNAPPY] = "snappy",
    [STREAM_CODEC_LZ4] = "lz4",
    [STREAM_CODEC_ZSTD] = "zstd",
};

enum { COUNT = sizeof(names) / sizeof(names[0]) };

const char *
stream_codec_name(enum stream_codec codec)
{
	return (unsigned)codec < COUNT ? names[codec] : NULL;
}

bool
stream_codec_find(const char *name, enum stream_codec *codec)
{
	for (int i = 0; i < COUNT; i++) {
		if (strcmp(name, names[i]) == 0) {
			*codec = (enum stream_codec)i;
			return true;
		}
	}
	return false;
}
