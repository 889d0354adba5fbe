/* copy.c - copies of a commit: what each source is, and how it gets into the new commit. Large files are named by their hash, those
 * of another repo after the Hub was asked to let this one have them; small ones are fetched and written again.
 * Paths are asked for 500 a time, grouped by where they are. */
#include "commit.h"

#include <stdlib.h>
#include <string.h>

enum { DUPLICATES_MOST = 500 };
#define CONTENT_MOST ((size_t)64 << 20)

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && !strcmp(a, b));
}

static bool same_source(const struct hf_hub_copy *a, const struct hf_hub_copy *b) {
  return same_text(a->repo_id, b->repo_id) && same_text(a->repo_type, b->repo_type) &&
         same_text(a->revision, b->revision);
}

static struct hf_repo repo_of(const struct hf_hub_commit *k, const struct hf_hub_copy *copy) {
  return copy->repo_id ? (struct hf_repo){copy->repo_type, copy->repo_id} : k->repo;
}

static const char *revision_of(const struct hf_hub_commit *k, const struct hf_hub_copy *copy) {
  return copy->revision ? copy->revision : copy->repo_id ? "main" : k->revision;
}

struct asking { /* entries go to every operation that names their path */
  struct hf_hub_commit *k;
  struct hf_hub_op **ops;
  uint32_t count;
};

static hf_status on_destination(void *arg, json_t *entry) {
  struct asking *a = arg;
  const char *type = hf_hub_get(entry, "type"), *oid = hf_hub_get(entry, "oid"), *path = hf_hub_get(entry, "path");
  if (!type || strcmp(type, "file") || !oid || !path) return HF_OK;
  for (uint32_t i = 0; i < a->count; i++)
    if (!strcmp(a->ops[i]->path, path)) a->ops[i]->copy->was = hf_host()->intern(a->k->hub->call, oid, SIZE_MAX);
  return HF_OK;
}

static hf_status fetch(struct hf_hub_commit *k, struct hf_hub_copy *copy) {
  struct hf_repo repo = repo_of(k, copy);
  struct hf_http_resp resp;
  const char *url = hf_hub_resolve_url(k->hub, &repo, revision_of(k, copy), copy->path);
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_send(k->hub, &(struct hf_hub_req){.url = url}, &resp));
  if (resp.body_len > CONTENT_MOST)
    return hf_hub_fail(k->hub->call, HF_EPROTO, NULL, "'%s' is too large for a regular file; check HF_ENDPOINT.",
                       copy->path);
  copy->content = resp.body;
  copy->len = resp.body_len;
  return HF_OK;
}

static hf_status found(struct hf_hub_commit *k, struct hf_hub_op *op, const json_t *entry) {
  hf_call *c = k->hub->call;
  struct hf_hub_copy *copy = op->copy;
  const char *type = hf_hub_get(entry, "type"), *oid = hf_hub_get(entry, "oid"), *xet = hf_hub_get(entry, "xetHash");
  const char *sha = hf_hub_get(json_object_get(entry, "lfs"), "oid");
  if (type && !strcmp(type, "directory"))
    return hf_hub_fail(c, HF_EINVAL, "NotImplementedError", "Copying a folder is not implemented.");
  if (copy->sha256 || copy->content) return HF_OK;
  if (sha && !hf_hub_is_hex(sha, 64))
    return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub gives no proper hash of '%s'; check HF_ENDPOINT.", copy->path);
  if (!copy->repo_id && oid) copy->is = hf_host()->intern(c, oid, SIZE_MAX);
  copy->xet_hash = hf_hub_is_hex(xet, 64) ? hf_host()->intern(c, xet, 64) : NULL;
  if (!sha) return fetch(k, copy);
  copy->sha256 = hf_host()->intern(c, sha, 64);
  return copy->sha256 ? HF_OK : HF_ENOMEM;
}

static hf_status on_source(void *arg, json_t *entry) {
  struct asking *a = arg;
  const char *path = hf_hub_get(entry, "path");
  for (uint32_t i = 0; path && i < a->count; i++)
    if (!strcmp(a->ops[i]->copy->path, path)) TRY(found(a->k, a->ops[i], entry));
  return HF_OK;
}

/* Asks about sources, or else about destinations. */
static hf_status ask(struct hf_hub_commit *k, struct hf_hub_op **ops, uint32_t count, bool sources) {
  struct hf_repo repo = sources ? repo_of(k, ops[0]->copy) : k->repo;
  const char **paths = calloc(count, sizeof *paths);
  struct asking a = {k, ops, count};
  if (!paths) return hf_hub_fail(k->hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < count; i++) paths[i] = sources ? ops[i]->copy->path : ops[i]->path;
  hf_status st = hf_hub_paths(k->hub, &repo, sources ? revision_of(k, ops[0]->copy) : k->revision, paths, count,
                              sources ? on_source : on_destination, &a);
  free(paths);
  return st;
}

static int by_source(const void *a, const void *b) {
  const struct hf_hub_op *x = *(struct hf_hub_op *const *)a, *y = *(struct hf_hub_op *const *)b;
  const char *p[] = {x->copy->repo_id, x->copy->repo_type, x->copy->revision};
  const char *q[] = {y->copy->repo_id, y->copy->repo_type, y->copy->revision};
  for (int i = 0; i < 3; i++) {
    int d = strcmp(p[i] ? p[i] : "", q[i] ? q[i] : "");
    if (d) return d;
  }
  return x < y ? -1 : x > y; /* rows of one array: their order stays */
}

/* Lets this repo have the large files of another. */
static hf_status duplicate(struct hf_hub_commit *k, struct hf_hub_op **ops, uint32_t count) {
  hf_call *c = k->hub->call;
  const struct hf_hub_copy *first = ops[0]->copy;
  const struct hf_repo source = {first->repo_type, first->repo_id};
  json_t *files = json_array(), *item;
  size_t i;
  for (uint32_t n = 0; n < count; n++) {
    const struct hf_hub_copy *copy = ops[n]->copy;
    bool seen = !copy->sha256;
    json_array_foreach(files, i, item) seen = seen || !strcmp(hf_hub_get(item, "sha256"), copy->sha256);
    if (seen) continue;
    if (!copy->xet_hash) {
      json_decref(files);
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "Cannot duplicate LFS file '%s' from %ss/%s: file has no xet hash.", copy->path, source.type,
                         source.id);
    }
    json_array_append_new(
        files, json_pack("{s:s, s:s, s:s}", "xetHash", copy->xet_hash, "sha256", copy->sha256, "filename", copy->path));
  }
  hf_status st = HF_OK;
  for (size_t at = 0; st == HF_OK && at < json_array_size(files); at += DUPLICATES_MOST) {
    json_t *some = json_array(), *raw = NULL, *failed;
    for (i = at; i < json_array_size(files) && i < at + DUPLICATES_MOST; i++)
      json_array_append(some, json_array_get(files, i));
    json_t *body = json_pack("{s:{s:s, s:s}, s:o}", "target", "type", k->repo.type, "name", k->repo.id, "files", some);
    const char *url = hf_hub_api_url(k->hub, &source), *text = "";
    char *sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    url = url ? hf_hub_text(c, "%s/lfs-files/duplicate", url) : NULL;
    st =
        !sent || !url
            ? HF_ENOMEM
            : hf_hub_json(
                  k->hub,
                  &(struct hf_hub_req){
                      .method = "POST", .url = url, .type = "application/json", .body = sent, .body_len = strlen(sent)},
                  &raw);
    free(sent);
    failed = json_object_get(raw, "failed");
    json_array_foreach(failed, i, item) {
      const char *sha = hf_hub_get(item, "sha256"), *why = hf_hub_get(item, "error");
      if (text)
        text = hf_hub_text(c, "%s%s  - %s: %s", text, *text ? "\n" : "", sha ? sha : "None", why ? why : "None");
    }
    if (text && *text)
      st = hf_hub_fail(c, HF_EHTTP, "FileDuplicationError", "Failed to duplicate files from %ss/%s to %ss/%s:\n%s",
                       source.type, source.id, k->repo.type, k->repo.id, text);
    json_decref(raw);
  }
  json_decref(files);
  return st;
}

static hf_status resolve(struct hf_hub_commit *k, struct hf_hub_op **ops, uint32_t count) {
  TRY(ask(k, ops, count, true));
  for (uint32_t i = 0; i < count; i++) {
    const struct hf_hub_copy *copy = ops[i]->copy;
    if (copy->sha256 || copy->content) continue;
    const char *from = copy->repo_id ? hf_hub_text(k->hub->call, " from %ss/%s", copy->repo_type, copy->repo_id) : "";
    return hf_hub_fail(k->hub->call, HF_ENOTFOUND, "EntryNotFoundError",
                       "Cannot copy %s at revision %s%s: file is missing on repo.", copy->path, revision_of(k, copy),
                       from ? from : "");
  }
  return HF_OK;
}

hf_status hf_hub_copies(struct hf_hub_commit *k) {
  uint32_t count = 0;
  struct hf_hub_op **ops = calloc(k->ops.count + 1, sizeof *ops);
  if (!ops) return hf_hub_fail(k->hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < k->ops.count; i++)
    if (k->ops.rows[i].kind == HF_OP_COPY) ops[count++] = &k->ops.rows[i];
  hf_status st = HF_OK;
  if (count) st = ask(k, ops, count, false);
  if (count) qsort(ops, count, sizeof *ops, by_source);
  for (uint32_t at = 0, n; st == HF_OK && at < count; at += n) {
    for (n = 1; at + n < count && same_source(ops[at]->copy, ops[at + n]->copy);) n++;
    st = resolve(k, ops + at, n);
  }
  for (uint32_t at = 0, n; st == HF_OK && at < count; at += n) {
    for (n = 1; at + n < count && same_source(ops[at]->copy, ops[at + n]->copy);) n++;
    if (ops[at]->copy->repo_id) st = duplicate(k, ops + at, n);
  }
  free(ops);
  return st;
}
