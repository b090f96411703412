/* Control batches: which marker it is. */
#include "codec/control.h"
#include "fixture.h"

static int
type_of(struct stream_buf *batch, enum stream_control_type *type)
{
	fx_fix_crc(batch->data, batch->size);
	return stream_control_type(batch->data, batch->size, type, NULL);
}

static void
markers_are_told_apart(void **state)
{
	static const struct {
		uint16_t version, type;
		enum stream_control_type want;
	} rows[] = {{0, 0, STREAM_CONTROL_ABORT}, {0, 1, STREAM_CONTROL_COMMIT},
	    {0, 2, STREAM_CONTROL_OTHER}, {0, 6, STREAM_CONTROL_OTHER},
	    {0, 0xffff, STREAM_CONTROL_OTHER}, {7, 1, STREAM_CONTROL_COMMIT}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum stream_control_type type = STREAM_CONTROL_ABORT;
		struct stream_buf log;

		stream_buf_init(&log);
		fx_add_marker(&log, 5, 1000, false, T0);
		stream_store16(log.data + 66, rows[i].version);
		stream_store16(log.data + 68, rows[i].type);
		assert_int_equal(type_of(&log, &type), STREAM_OK);
		assert_int_equal(type, rows[i].want);
		stream_buf_release(&log);
	}
}

/* Compaction can leave the header alone. */
static void
a_marker_without_its_record_is_another(void **state)
{
	enum stream_control_type type = STREAM_CONTROL_ABORT;
	struct stream_buf log;

	(void)state;
	stream_buf_init(&log);
	fx_add_marker(&log, 5, 1000, false, T0);
	log.size = STREAM_BATCH_HEADER;
	stream_store32(log.data + 8, 49);
	stream_store32(log.data + 57, 0);
	assert_int_equal(type_of(&log, &type), STREAM_OK);
	assert_int_equal(type, STREAM_CONTROL_OTHER);
	stream_buf_release(&log);
}

static void
what_is_no_marker_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		int want;
	} rows[] = {
	    {22, 0x34, STREAM_ENEWER},   /* compressed */
	    {61, 0x22, STREAM_ECORRUPT}, /* longer than the batch */
	    {65, 1, STREAM_ECORRUPT},    /* a null key */
	    {65, 4, STREAM_ECORRUPT},    /* a key of two bytes */
	    {60, 2, STREAM_ECORRUPT},    /* two records in the bytes of one */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum stream_control_type type;
		struct stream_buf log;
		uint8_t *exact;
		int status;

		stream_buf_init(&log);
		fx_add_marker(&log, 5, 1000, true, T0);
		log.data[rows[i].at] = rows[i].byte;
		exact = malloc(log.size);
		memcpy(exact, log.data, log.size);
		status = stream_control_type(exact, log.size, &type, NULL);
		if (status != rows[i].want)
			fail_msg("row %zu: %d", i, status);
		free(exact);
		stream_buf_release(&log);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(markers_are_told_apart),
	    cmocka_unit_test(a_marker_without_its_record_is_another),
	    cmocka_unit_test(what_is_no_marker_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
