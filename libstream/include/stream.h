/*
 * stream.h - all of libstream
 */
#ifndef STREAM_H
#define STREAM_H

#include <stream/address.h>
#include <stream/compact.h>
#include <stream/error.h>
#include <stream/files.h>
#include <stream/format.h>
#include <stream/inspect.h>
#include <stream/json.h>
#include <stream/jsonl.h>
#include <stream/maintain.h>
#include <stream/message.h>
#include <stream/parse.h>
#include <stream/producer.h>
#include <stream/range.h>
#include <stream/reader.h>
#include <stream/record.h>
#include <stream/repair.h>
#include <stream/replica.h>
#include <stream/retain.h>
#include <stream/store.h>
#include <stream/topic.h>
#include <stream/topic_config.h>
#include <stream/verify.h>

#endif
