/*
 * produce_ack.h - produce --ack: where each record went, in input order
 *
 * One line a record, "PARTITION OFFSET", printed when the record is durable.
 */
#ifndef PRODUCE_ACK_H
#define PRODUCE_ACK_H

#include <stdbool.h>

#include <stream/producer.h>

struct produce_ack;

/* Gives *ack; produce_ack_free().  STREAM_ENOMEM. */
int produce_ack_new(struct produce_ack **ack, struct stream_error *err);

/* NULL is allowed. */
void produce_ack_free(struct produce_ack *ack);

/* A record was sent to this partition.  STREAM_ENOMEM. */
int produce_ack_sent(
    struct produce_ack *ack, int32_t partition, struct stream_error *err);

/* A batch is in the log: the callback of the producer. */
void produce_ack_appended(
    struct produce_ack *ack, const struct stream_appended *appended);

/* Print the records that were appended, which the caller has synced.
 * STREAM_EIO (sys EPIPE when nobody reads), STREAM_ENOMEM. */
int produce_ack_print(struct produce_ack *ack, struct stream_error *err);

/* Did printing fail because nobody reads any more? */
bool produce_ack_is_broken(const struct produce_ack *ack);

#endif
