/* date.h - dates as the Hub writes them: UTC, with milliseconds.
 * Every answer uses this one form.
 * The store keeps seconds. */
#ifndef DEVHUB_DATE_H
#define DEVHUB_DATE_H
#include <jansson.h>
#include <stdint.h>

json_t *dh_date_json(int64_t seconds);
#endif
