/* meta.h - what the Hub derives from the files of a commit: card data, tags, task, library, configuration, parameters.
 * Computed once, when the commit is made, and kept with it as JSON; lists and info only pick from it.
 * The card's front matter is read by card.h; every file read here is bounded. */
#ifndef DEVHUB_META_H
#define DEVHUB_META_H
#include "store.h"

/* {"cardData"?,"tags":[..],"pipeline_tag"?,"library_name"?,"config"?,"transformersInfo"?,"safetensors"?,"gguf"?,"sdk"?,
 * "usedStorage":n}; NULL on failure. */
json_t *dh_meta_make(struct store *s, enum repo_type type, int64_t tree, int64_t storage);
#endif
