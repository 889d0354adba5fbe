/* settings.h - values that people set for the adapter, in the forms that the reference takes: numbers, "64mb", "90s", switches.
 * A value that cannot be read counts as not set.
 * Every answer is within the bounds that are asked for. */
#ifndef XET_SETTINGS_H
#define XET_SETTINGS_H
#include "plugin.h"

#include <stdbool.h>

#define XET_CONNECTION_BYTES ((uint64_t)3 << 20) /* what a transfer has in memory, here and in the network module */

enum { XET_SETTINGS = 30 };
extern const struct hf_param xet_settings[XET_SETTINGS];

const char *xet_option(hf_call *, const char *key); /* by its other names too; NULL: not set */
uint64_t xet_option_number(hf_call *, const char *key, uint64_t unset, uint64_t least, uint64_t most);
uint64_t xet_option_bytes(hf_call *, const char *key, uint64_t unset);
uint64_t xet_option_ms(hf_call *, const char *key); /* at most an hour; 0: not set */
bool xet_option_flag(hf_call *, const char *key);
#endif
