/* date.c - seconds since 1970 as a JSON string (date.h).
 * A number no calendar has becomes an empty string.
 * Milliseconds are always zero. */
#include "date.h"
#include <time.h>

json_t *dh_date_json(int64_t seconds) {
  char date[32];
  time_t t = (time_t)seconds;
  struct tm tm;
  if (!gmtime_r(&t, &tm) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S.000Z", &tm)) date[0] = 0;
  return json_string(date);
}
