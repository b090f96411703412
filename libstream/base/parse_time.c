/*
 * parse_time.c - times to text and back
 *
 * The Gregorian calendar is taken to have held always, without leap seconds,
 * as in POSIX.  Years are counted from 1 March, so that the leap day is the
 * last of its year, and (153 * month + 2) / 5 days come before a month: that
 * is the sum of 31 30 31 30 31 31 30 31 30 31 31.  All is integer arithmetic:
 * neither strptime nor timegm nor anything else that reads TZ.
 */
#include <stream/parse.h>

#include "base/decimal.h"
#include "base/fail.h"

enum {
	MINUTE_MS = 60 * 1000,
	HOUR_MS = 60 * MINUTE_MS,
	DAY_MS = 24 * HOUR_MS,

	ERA_YEARS = 400,   /* the calendar repeats after so many years, */
	ERA_DAYS = 146097, /* which are so many days */

	/* From 0000-03-01 to 1970-01-01, and from 0000-01-01 to 0000-03-01. */
	EPOCH_DAYS = 719468,
	NEW_YEAR_DAYS = 60,
};

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
static const int64_t first_ms = INT64_C(-62167219200000);
static const int64_t last_ms = INT64_C(253402300799999);

/* Days from 1970-01-01 to a day that exists, in a year of 0 to 9999. */
static int64_t
days_to(int year, int month, int day)
{
	/* An era more keeps January of year 0 above zero. */
	int years = year + ERA_YEARS - (month <= 2);
	int months = month > 2 ? month - 3 : month + 9;

	return 365 * years + years / 4 - years / 100 + years / 400 +
	       (153 * months + 2) / 5 + day - 1 - ERA_DAYS - EPOCH_DAYS;
}

static int
days_in(int year, int month)
{
	if (month == 2)
		return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
			   ? 29
			   : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Take exactly n digits. */
static bool
take_digits(const char **text, int n, int *value)
{
	const char *p = *text;
	int v = 0;

	for (int i = 0; i < n; i++, p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (*p - '0');
	}
	*text = p;
	*value = v;
	return true;
}

static bool
take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

/*
 * take_date, take_fraction, take_clock and take_zone take their part off the
 * front of *text and add it to *ms.  They return what is wrong, or NULL.
 * Nothing can overflow: years have four digits.
 */
static const char *
take_date(const char **text, int64_t *ms)
{
	int year, month, day;

	if (!take_digits(text, 4, &year) || !take_char(text, '-') ||
	    !take_digits(text, 2, &month) || !take_char(text, '-') ||
	    !take_digits(text, 2, &day))
		return "a date is YYYY-MM-DD";
	if (month < 1 || month > 12)
		return "there is no such month";
	if (day < 1 || day > days_in(year, month))
		return "that month has no such day";
	*ms += days_to(year, month, day) * DAY_MS;
	return NULL;
}

/* What follows the dot: one to three digits. */
static const char *
take_fraction(const char **text, int64_t *ms)
{
	int digit;
	int weight = 100;

	for (; weight > 0 && take_digits(text, 1, &digit); weight /= 10)
		*ms += digit * weight;
	if (weight == 100)
		return "digits are missing after the dot";
	if (**text >= '0' && **text <= '9')
		return "it is finer than a millisecond";
	return NULL;
}

static const char *
take_clock(const char **text, int64_t *ms)
{
	static const char form[] =
	    "a time of day is HH:MM, HH:MM:SS or HH:MM:SS.mmm";
	int hour, minute;
	int second = 0;
	bool has_seconds;

	if (!take_digits(text, 2, &hour) || !take_char(text, ':') ||
	    !take_digits(text, 2, &minute))
		return form;
	has_seconds = take_char(text, ':');
	if (has_seconds && !take_digits(text, 2, &second))
		return form;
	if (hour > 23 || minute > 59)
		return "there is no such time of day";
	if (second > 59)
		return "seconds go up to 59, leap seconds have no timestamp";
	*ms += hour * HOUR_MS + minute * MINUTE_MS + second * 1000;
	return has_seconds && take_char(text, '.') ? take_fraction(text, ms)
						   : NULL;
}

static const char *
take_zone(const char **text, int64_t *ms)
{
	int sign = **text == '-' ? -1 : 1;
	int hours, minutes;

	if (**text == '\0' || take_char(text, 'Z'))
		return NULL;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return "what follows is no time zone (Z, +HH:MM, -HHMM)";
	if (!take_digits(text, 2, &hours))
		return "a time zone is Z, +HH:MM or -HHMM";
	take_char(text, ':');
	if (!take_digits(text, 2, &minutes))
		return "a time zone is Z, +HH:MM or -HHMM";
	if (hours > 23 || minutes > 59)
		return "there is no such time zone";
	*ms -= sign * (hours * HOUR_MS + minutes * MINUTE_MS);
	return NULL;
}

/* "@" and a number. */
static int
parse_milliseconds(
    const char *text, int64_t *timestamp_ms, struct stream_error *err)
{
	int status =
	    stream_parse_int(text + 1, INT64_MIN, INT64_MAX, timestamp_ms, err);

	return status == STREAM_OK
		   ? status
		   : stream_fail_in(err, status, "time \"%.60s\"", text);
}

int
stream_parse_time(
    const char *text, int64_t *timestamp_ms, struct stream_error *err)
{
	const char *p = text;
	const char *wrong;
	int64_t ms = 0;

	if (*text == '@')
		return parse_milliseconds(text, timestamp_ms, err);
	wrong = take_date(&p, &ms);
	if (wrong == NULL && take_char(&p, 'T'))
		wrong = take_clock(&p, &ms);
	if (wrong == NULL)
		wrong = take_zone(&p, &ms);
	if (wrong == NULL && *p != '\0')
		wrong = "something follows the time zone";
	if (wrong != NULL)
		return stream_fail(err, STREAM_EUSAGE, STREAM_POS_NONE,
		    "\"%.100s\" is not a time: %s", text, wrong);
	*timestamp_ms = ms;
	return STREAM_OK;
}

static char *
put2(char *to, unsigned value)
{
	to[0] = (char)('0' + value / 10);
	to[1] = (char)('0' + value % 10);
	return to + 2;
}

/* The inverse of days_to, for days since 0000-01-01. */
static char *
put_date(char *to, uint32_t days)
{
	uint32_t n = days + ERA_DAYS - NEW_YEAR_DAYS;
	uint32_t in_era = n % ERA_DAYS;
	/* Years of 365 days, less the leap days that came before. */
	uint32_t years =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	uint32_t in_year = in_era - (365 * years + years / 4 - years / 100);
	uint32_t months = (5 * in_year + 2) / 153;
	uint32_t day = in_year - (153 * months + 2) / 5 + 1;
	uint32_t month = months < 10 ? months + 3 : months - 9;
	uint32_t year = n / ERA_DAYS * ERA_YEARS + years - ERA_YEARS;

	year += month <= 2;
	to = put2(put2(to, year / 100), year % 100);
	*to++ = '-';
	to = put2(to, month);
	*to++ = '-';
	return put2(to, day);
}

static char *
put_clock(char *to, uint32_t ms)
{
	to = put2(to, ms / HOUR_MS);
	*to++ = ':';
	to = put2(to, ms / MINUTE_MS % 60);
	*to++ = ':';
	to = put2(to, ms / 1000 % 60);
	*to++ = '.';
	*to++ = (char)('0' + ms % 1000 / 100);
	return put2(to, ms % 100);
}

void
stream_format_time(int64_t timestamp_ms, char *text)
{
	uint64_t ms;

	if (timestamp_ms < first_ms || timestamp_ms > last_ms) {
		*text++ = '@';
		text =
		    (char *)stream_decimal_put(timestamp_ms, (uint8_t *)text);
		*text = '\0';
		return;
	}
	ms = (uint64_t)(timestamp_ms - first_ms);
	text = put_date(text, (uint32_t)(ms / DAY_MS));
	*text++ = 'T';
	text = put_clock(text, (uint32_t)(ms % DAY_MS));
	*text++ = 'Z';
	*text = '\0';
}
