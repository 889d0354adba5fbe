/* builtin.c - the packs that are part of the library, and the one place that knows where the Hub is.
 * A pack from elsewhere is an hf-NAME.so; these are linked in, so that a warm command opens no file.
 * The core takes both from here: it knows no server. */
#include <hfcore.h>

extern const struct hf_plugin hf_plugin_v1_hub;

extern const struct hf_plugin *const hf_builtin_plugins[];
const struct hf_plugin *const hf_builtin_plugins[] = {&hf_plugin_v1_hub, NULL};
