/* paths.c - what a repo has under some paths: one question for up to 500 of them. Copies ask it about sources and destinations,
 * and a commit whose answer was lost asks it whether the commit was made.
 * Answers are matched by path; what was not asked for is not looked at. */
#include "commit.h"

#include <stdio.h>
#include <string.h>

enum { PATHS_MOST = 500 };

static hf_status ask(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char *const *paths,
                     uint32_t count, hf_hub_item_fn fn, void *arg) {
  hf_call *c = hub->call;
  const char *form = "", *url = hf_hub_api_url(hub, repo), *rev = hf_hub_quote(c, revision, "");
  json_t *raw, *entry;
  size_t i;
  for (uint32_t n = 0; form && n < count; n++) form = hf_hub_query(c, form, "paths", paths[n]);
  form = form ? hf_hub_query(c, form, "expand", "false") : NULL;
  url = form && url && rev ? hf_hub_text(c, "%s/paths-info/%s", url, rev) : NULL;
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_json(hub,
                  &(struct hf_hub_req){.method = "POST",
                                       .url = url,
                                       .type = "application/x-www-form-urlencoded",
                                       .body = form,
                                       .body_len = strlen(form),
                                       .flags = HF_HTTP_IDEMPOTENT},
                  &raw));
  hf_status st = HF_OK;
  json_array_foreach(raw, i, entry) if (st == HF_OK) st = fn(arg, entry);
  json_decref(raw);
  return st;
}

hf_status hf_hub_paths(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char *const *paths,
                       uint32_t count, hf_hub_item_fn fn, void *arg) {
  for (uint32_t at = 0; at < count; at += PATHS_MOST)
    TRY(ask(hub, repo, revision, paths + at, count - at < PATHS_MOST ? count - at : PATHS_MOST, fn, arg));
  return HF_OK;
}

/* ---- was it made? ------------------------------------------------------------------------------------------------------- */

struct made {
  struct hf_hub_op *const *ops;
  uint32_t count, right; /* additions that are there as they should be */
  bool wrong;            /* something is not */
};

static bool is_this(const struct hf_hub_op *op, const json_t *entry) {
  const char *lfs = hf_hub_get(json_object_get(entry, "lfs"), "oid"), *oid = hf_hub_get(entry, "oid");
  const char *want = op->mode == HF_MODE_LFS ? lfs : oid;
  const uint8_t *have = op->mode == HF_MODE_LFS ? op->sha256 : op->git;
  size_t len = op->mode == HF_MODE_LFS ? 32 : 20;
  char text[65];
  for (size_t i = 0; i < len; i++) snprintf(text + 2 * i, 3, "%02x", have[i]);
  return want && !strcmp(want, text);
}

static hf_status on_entry(void *arg, json_t *entry) {
  struct made *m = arg;
  const char *path = hf_hub_get(entry, "path");
  for (uint32_t i = 0; path && i < m->count; i++) {
    if (strcmp(m->ops[i]->path, path)) continue;
    if (m->ops[i]->kind == HF_OP_ADD && is_this(m->ops[i], entry))
      m->right++;
    else
      m->wrong = true; /* another content, or not deleted */
  }
  return HF_OK;
}

int hf_hub_commit_was_made(struct hf_hub *hub, const struct hf_repo *repo, const char *revision,
                           struct hf_hub_op *const *ops, uint32_t count) {
  const char *paths[PATHS_MOST];
  struct made m = {.ops = ops, .count = count < PATHS_MOST ? count : PATHS_MOST};
  uint32_t adds = 0;
  for (uint32_t i = 0; i < m.count; i++) {
    if (ops[i]->kind == HF_OP_COPY) return -1; /* nothing tells an old copy from a new one */
    adds += ops[i]->kind == HF_OP_ADD;
    paths[i] = ops[i]->path;
  }
  hf_status st = hf_hub_paths(hub, repo, revision, paths, m.count, on_entry, &m);
  return st != HF_OK ? -1 : !m.wrong && m.right == adds;
}
