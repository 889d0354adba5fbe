/* Defaults of settings that are the Hub's own: the addresses it answers at.
 * The core knows the names of these settings and no address; read when a runtime is made.
 * Rows end with a NULL key. */
#include <hf/abi.h>

extern const struct hf_kv hf_builtin_defaults[];
const struct hf_kv hf_builtin_defaults[] = {
    {"HF_ENDPOINT", "https://huggingface.co"},
    {"HF_STAGING_ENDPOINT", "https://hub-ci.huggingface.co"},
    {"HF_INFERENCE_ENDPOINT", "https://api-inference.huggingface.co"},
    {NULL, NULL},
};
