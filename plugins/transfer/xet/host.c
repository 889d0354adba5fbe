/* host.c - the host's table, for every file of the plugin.
 * Set once, by load() in plugin.c, before the adapter or a task of it runs;
 * it belongs to the host and outlives the plugin. */
#include "plugin.h"

const struct hf_host *xet_host;
