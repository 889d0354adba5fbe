/* preupload.c - asking the Hub how each file is to be stored and what it has under that name, 256 files a time; or, where the
 * digests of most files are known already, one listing of the repo instead. Also the check of a card's metadata.
 * The answers are matched by path and nothing else of them is believed. */
#include "commit.h"
#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool unhex(const char *text, uint8_t *out, size_t len) {
  for (size_t i = 0; i < 2 * len; i++) {
    char ch = text[i];
    int v = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
    if (v < 0) return false;
    out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
  }
  return !text[2 * len];
}

static void set_remote(struct hf_hub_op *op, const char *oid) {
  size_t n = oid ? strlen(oid) : 0;
  op->remote_len = 0;
  if ((n == 40 || n == 64) && unhex(oid, op->remote, n / 2)) op->remote_len = (uint8_t)(n / 2);
}

bool hf_hub_op_unchanged(const struct hf_hub_op *op) {
  if (op->kind != HF_OP_ADD || (op->flags & HF_OP_DELETED_TOO)) return false;
  if (op->mode == HF_MODE_LFS)
    return op->remote_len == 32 && (op->flags & HF_OP_SHA256) && !memcmp(op->remote, op->sha256, 32);
  return op->remote_len == 20 && (op->flags & HF_OP_GIT) && !memcmp(op->remote, op->git, 20);
}

/* ---- preupload ------------------------------------------------------------------------------------------------------ */

static bool question(struct hf_hub_commit *k, struct hf_hub_op *const *ops, uint32_t count, struct hf_hub_line *l) {
  bool ok = hf_hub_line_puts(l, "{\"files\":[");
  for (uint32_t i = 0; ok && i < count; i++) {
    char size[48];
    snprintf(size, sizeof size, "\",\"size\":%llu}", (unsigned long long)ops[i]->stamp.size);
    ok = hf_hub_line_puts(l, i ? ",{\"path\":" : "{\"path\":") && hf_hub_line_string(l, ops[i]->path, false) &&
         hf_hub_line_puts(l, ",\"sample\":\"") && hf_hub_line_base64(l, ops[i]->sample, ops[i]->sample_len) &&
         hf_hub_line_puts(l, size);
  }
  ok = ok && hf_hub_line_puts(l, "]");
  if (k->gitignore) ok = ok && hf_hub_line_puts(l, ",\"gitIgnore\":") && hf_hub_line_string(l, k->gitignore, false);
  return ok && hf_hub_line_puts(l, "}");
}

static hf_status malformed(hf_call *c) {
  return hf_hub_fail(c, HF_EPROTO, "ValueError", "preupload_info is improperly formatted");
}

static hf_status answer(hf_call *c, const json_t *raw, struct hf_hub_op *const *ops, uint32_t count) {
  json_t *files = json_object_get(raw, "files"), *file;
  size_t i;
  if (!json_is_array(files)) return malformed(c);
  for (uint32_t n = 0; n < count; n++) {
    struct hf_hub_op *op = ops[n];
    const char *path, *mode = NULL;
    json_t *mine = json_array_get(files, n);
    path = hf_hub_get(mine, "path");
    if (!path || strcmp(path, op->path)) {
      mine = NULL;
      json_array_foreach(files, i, file) if ((path = hf_hub_get(file, "path")) && !strcmp(path, op->path)) mine = file;
    }
    if (mine) mode = hf_hub_get(mine, "uploadMode");
    if (!mode || (strcmp(mode, "lfs") && strcmp(mode, "regular"))) return malformed(c);
    op->mode = !strcmp(mode, "lfs") && op->stamp.size ? HF_MODE_LFS : HF_MODE_REGULAR;
    if (json_is_true(json_object_get(mine, "shouldIgnore"))) op->flags |= HF_OP_IGNORED;
    set_remote(op, hf_hub_get(mine, "oid"));
  }
  return HF_OK;
}

hf_status hf_hub_preupload(struct hf_hub_commit *k, hf_call *c, struct hf_hub_op *const *ops, uint32_t count) {
  struct hf_hub hub = *k->hub;
  struct hf_hub_line body = {0};
  json_t *raw = NULL;
  hub.call = c;
  const char *url = hf_hub_api_url(&hub, &k->repo), *rev = hf_hub_quote(c, k->revision, "");
  url = url && rev ? hf_hub_text(c, "%s/preupload/%s%s", url, rev, k->create_pr ? "?create_pr=1" : "") : NULL;
  bool ok = url && question(k, ops, count, &body);
  hf_status st = ok ? hf_hub_json(&hub,
                                  &(struct hf_hub_req){.method = "POST",
                                                       .url = url,
                                                       .type = "application/json",
                                                       .body = body.text,
                                                       .body_len = body.len,
                                                       .flags = HF_HTTP_IDEMPOTENT},
                                  &raw)
                    : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  free(body.text);
  if (st == HF_OK) st = answer(c, raw, ops, count);
  json_decref(raw);
  return st;
}

/* ---- a listing instead ---------------------------------------------------------------------------------------------- */

struct by_path { /* additions by path */
  struct hf_hub_commit *k;
  uint32_t *buckets, mask; /* index + 1, open addressing */
};

static uint32_t hash_of(const char *text) {
  uint32_t h = 2166136261u;
  for (; *text; text++) h = (h ^ (unsigned char)*text) * 16777619u;
  return h;
}

static hf_status on_entry(void *arg, json_t *item) {
  struct by_path *t = arg;
  const char *type = hf_hub_get(item, "type"), *path = hf_hub_get(item, "path");
  const char *lfs = hf_hub_get(json_object_get(item, "lfs"), "oid");
  if (!type || !path || strcmp(type, "file")) return HF_OK;
  for (uint32_t at = hash_of(path) & t->mask; t->buckets[at]; at = (at + 1) & t->mask) {
    struct hf_hub_op *op = &t->k->ops.rows[t->buckets[at] - 1];
    if (strcmp(op->path, path)) continue;
    op->mode = lfs ? HF_MODE_LFS : HF_MODE_REGULAR;
    set_remote(op, lfs ? lfs : hf_hub_get(item, "oid"));
    if (hf_hub_op_unchanged(op)) op->flags |= HF_OP_UNCHANGED;
    op->mode = HF_MODE_UNKNOWN;
  }
  return HF_OK;
}

hf_status hf_hub_compare_tree(struct hf_hub_commit *k) {
  struct by_path t = {.k = k, .mask = 15};
  while (t.mask / 2 < k->ops.count) t.mask = t.mask * 2 + 1;
  t.buckets = calloc((size_t)t.mask + 1, sizeof *t.buckets);
  if (!t.buckets) return hf_hub_fail(k->hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < k->ops.count; i++) {
    if (k->ops.rows[i].kind != HF_OP_ADD) continue;
    uint32_t at = hash_of(k->ops.rows[i].path) & t.mask;
    while (t.buckets[at]) at = (at + 1) & t.mask;
    t.buckets[at] = i + 1;
  }
  hf_status st = hf_hub_tree(k->hub, &k->repo, k->revision, NULL, true, false, on_entry, &t);
  free(t.buckets);
  const struct hf_error *e = hf_host()->error(k->hub->call);
  if (st != HF_OK && st != HF_ECANCELED && e && e->http_status == 404) { /* an empty repo has no tree */
    hf_host()->clear(k->hub->call);
    return HF_OK;
  }
  return st;
}

/* ---- the card ------------------------------------------------------------------------------------------------------- */

static const char *bullets(hf_call *c, const json_t *list) {
  const char *text = "";
  json_t *item;
  size_t i;
  json_array_foreach(list, i, item) {
    const char *message = hf_hub_get(item, "message");
    text = text ? hf_hub_text(c, "%s%s- %s", text, *text ? "\n" : "", message ? message : "None") : NULL;
  }
  return text;
}

hf_status hf_hub_check_card(struct hf_hub *hub, const char *type, const char *text, size_t len) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  json_t *content = json_stringn(text, len), *raw = NULL;
  const char *url = hf_hub_text(c, "%s/api/validate-yaml", hub->endpoint);
  if (!content) return hf_hub_fail(c, HF_EINVAL, "ValueError", "README.md is not UTF-8; save it as such.");
  json_t *body = json_pack("{s:o, s:s}", "content", content, "repoType", type);
  char *sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
  json_decref(body);
  if (!sent || !url) return free(sent), hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = hf_hub_send(hub,
                             &(struct hf_hub_req){.method = "POST",
                                                  .url = url,
                                                  .type = "application/json",
                                                  .body = sent,
                                                  .body_len = strlen(sent),
                                                  .flags = HF_HTTP_IDEMPOTENT},
                             &resp);
  free(sent);
  const struct hf_error *e = hf_host()->error(c);
  bool refused = st != HF_OK && e && e->http_status == 400;
  if (st != HF_OK && !refused) return st;
  if (hf_hub_parse(c, resp.body ? resp.body : "", resp.body_len, url, &raw) != HF_OK && !refused)
    return hf_host()->error(c)->code;
  const char *warnings = bullets(c, json_object_get(raw, "warnings")),
             *errors = bullets(c, json_object_get(raw, "errors"));
  json_decref(raw);
  if (!warnings || !errors) return HF_ENOMEM;
  if (*warnings)
    hf_hub_log(hub, HF_LOG_WARNING, "UserWarning: Warnings while validating metadata in README.md:\n%s", warnings);
  if (!refused) return HF_OK;
  hf_host()->clear(c);
  return hf_hub_fail(c, HF_EINVAL, "ValueError", "Invalid metadata in README.md.\n%s", errors);
}
