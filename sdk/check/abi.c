/* abi.c - the rules of the file itself: what the loader checks before and after it opens a plugin, one row each.
 * The rules before opening come from the reader of the file by name; the ones after it are tried in a child process.
 * Nothing here runs plugin code in this process. */
#include "bench.h"

/* In the order in which the reader tries them. */
static const char *const file_rules[] = {"abi/shared-object",   "abi/whole-file",      "abi/note",
                                         "abi/nothing-foreign", "abi/no-constructors", "abi/one-symbol",
                                         "abi/no-resolvers"};

void check_list(void) {
  puts("abi/trusted-place");
  for (size_t i = 0; i < COUNT(file_rules); i++) puts(file_rules[i]);
  puts("abi/free-names");
}

struct read {
  const char *rule;
  char why[400];
  uint32_t modules;
};

static int on_module(void *arg, const struct hf_plugin_info *i) {
  struct read *r = arg;
  r->modules += i->kind != 0;
  r->rule = i->rule;
  if (i->refused) snprintf(r->why, sizeof r->why, "the file %s", i->refused);
  return 0;
}

bool check_file(struct verdicts *v, hf_runtime *rt, const char *file) {
  struct read r = {0};
  const char *why = NULL;
  hf_status st = hf_plugin_read(rt, file, on_module, &r, &why);
  bool reached = true;
  if (st != HF_OK && !r.rule) {
    say(v, "abi/trusted-place", "failed", why);
    return false;
  }
  say(v, "abi/trusted-place", "ok", NULL);
  for (size_t i = 0; i < COUNT(file_rules); i++) {
    bool here = r.rule && strcmp(r.rule, file_rules[i]) == 0;
    say(v, file_rules[i], here ? "failed" : reached ? "ok" : "skipped", here ? r.why : NULL);
    if (here) reached = false;
  }
  return st == HF_OK;
}

void check_open(struct bench *b, uint32_t kind, const char *name) {
  const char *why = NULL;
  b->m = hf_plugin_open(b->rt, kind, name, &why);
  if (!b->m) failed("%s", why);
  if (kind == HF_KIND_STORAGE) b->backend = b->st = (const struct hf_storage *)b->m;
  if (kind == HF_KIND_TRANSFER) b->tr = (const struct hf_transfer *)b->m;
}
