/* refuse.c - the words in which a plugin is refused.
 * They begin behind "the plugin PATH" and are cut to HF_WHY_MAX.
 * Nothing here allocates. */
#include <stdarg.h>
#include <stdio.h>

#include "registry.h"

bool hf_refuse(char why[HF_WHY_MAX], const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why, HF_WHY_MAX, fmt, ap);
  va_end(ap);
  return false;
}

const char *hf_kind_word(uint32_t kind) {
  static const struct {
    uint32_t kind;
    const char *word;
  } words[] = {{HF_KIND_TRANSFER, "transfer adapter"},
               {HF_KIND_STORAGE, "storage backend"},
               {HF_KIND_PROVIDER, "provider"},
               {HF_KIND_TASKS, "task pack"}};
  for (size_t i = 0; i < HF_COUNT(words); i++)
    if (words[i].kind == kind) return words[i].word;
  return NULL;
}
