/* lfs.c - large files of a commit: by Xet, which reads them once; else hashed, asked for in batches, sent by the adapters, verified.
 * The names of the adapters go into the batch request; what the server answers decides about one piece or parts. Objects that
 * it has are not sent; one content is sent once, whatever it is called. */
#include "commit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MOST = 8 };

struct object { /* one content */
  struct hf_hub_op *op;
  char oid[65];
  bool known; /* the server has it */
  struct hf_hub_target target;
  struct hf_hub_saved *saved;
};

struct lfs {
  struct hf_hub_commit *k;
  hf_call *call;
  struct object *objects;
  uint32_t count;
  struct hf_send_file *files; /* of those that are sent */
  uint32_t *object_of, sending;
  bool counts; /* there is a bar that counts files: not with one, not by Xet */
  _Atomic uint32_t sent;
};

static const struct hf_kv lfs_headers[] = {{"accept", "application/vnd.git-lfs+json"}};

/* ---- the batch ------------------------------------------------------------------------------------------------------ */

struct names {
  json_t *list;
};

static int on_adapter(void *arg, const struct hf_plugin_info *info) {
  struct names *n = arg;
  if (info->kind == HF_KIND_TRANSFER && !info->refused && (info->caps & HF_TR_UPLOAD) &&
      !(info->caps & HF_TR_DEDUP) && /* goes other ways than LFS */
      json_array_size(n->list) < NAMES_MOST)
    json_array_append_new(n->list, json_string(info->name));
  return 0;
}

/* The adapters that the user names, else all that upload. */
static json_t *transfers(hf_call *c) {
  struct names n = {json_array()};
  const char *named = hf_hub_setting(c, "HF_TRANSFER");
  if (!named) hf_plugin_each(hf_call_runtime(c), on_adapter, &n);
  for (const char *p = named; p && *p; p += strcspn(p, ","), p += *p == ',') {
    size_t len = strcspn(p, ",");
    if (len) json_array_append_new(n.list, json_stringn(p, len));
  }
  return n.list;
}

static const char *batch_url(struct hf_hub *hub, hf_call *c, const struct hf_repo *repo) {
  bool model = !strcmp(repo->type, "model");
  return hf_hub_text(c, "%s/%s%s%s.git/info/lfs/objects/batch", hub->endpoint, model ? "" : repo->type,
                     model ? "" : "s/", repo->id);
}

static json_t *question(struct lfs *l, struct object *const *objects, uint32_t count) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < count; i++)
    json_array_append_new(
        list, json_pack("{s:s, s:I}", "oid", objects[i]->oid, "size", (json_int_t)objects[i]->op->stamp.size));
  json_t *body = json_pack("{s:s, s:o, s:o, s:s}", "operation", "upload", "transfers", transfers(l->call), "objects",
                           list, "hash_algo", "sha256");
  if (body && !l->k->create_pr) json_object_set_new(body, "ref", json_pack("{s:s}", "name", l->k->revision));
  return body;
}

static hf_status malformed(hf_call *c) {
  return hf_hub_fail(c, HF_EPROTO, "ValueError", "Malformed response from server");
}

static hf_status collect_errors(hf_call *c, const json_t *objects) {
  const char *text = "";
  json_t *object, *error;
  size_t i;
  json_array_foreach(objects, i, object) {
    if (!(error = json_object_get(object, "error"))) continue;
    const char *oid = hf_hub_get(object, "oid"), *message = hf_hub_get(error, "message");
    text = hf_hub_text(c, "%s\nEncountered error for file with OID %s: `%s`", text, oid ? oid : "None",
                       message ? message : "None");
    if (!text) return HF_ENOMEM;
  }
  return *text ? hf_hub_fail(c, HF_EPROTO, "ValueError", "LFS batch API returned errors:%s", text) : HF_OK;
}

static hf_status read_answer(struct lfs *l, const json_t *raw, struct object *const *objects, uint32_t count) {
  json_t *list = json_object_get(raw, "objects"), *item;
  size_t i;
  if (!json_is_array(list)) return malformed(l->call);
  TRY(collect_errors(l->call, list));
  for (uint32_t n = 0; n < count; n++) {
    struct object *o = objects[n];
    json_t *mine = NULL;
    json_array_foreach(list, i, item) {
      const char *oid = hf_hub_get(item, "oid");
      if (oid && !strcmp(oid, o->oid)) mine = item;
    }
    if (!mine) return malformed(l->call);
    json_t *actions = json_object_get(mine, "actions");
    o->known = !json_object_get(actions, "upload");
    if (!o->known) TRY(hf_hub_target_read(l->k->hub, l->call, mine, o->op->stamp.size, &o->target));
  }
  return HF_OK;
}

static hf_status ask(struct lfs *l, hf_call *c, struct object *const *objects, uint32_t count) {
  struct hf_hub hub = *l->k->hub;
  hub.call = c;
  const char *url = batch_url(&hub, c, &l->k->repo);
  json_t *body = url ? question(l, objects, count) : NULL, *raw = NULL;
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  json_decref(body);
  if (!text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = hf_hub_json(&hub,
                             &(struct hf_hub_req){.method = "POST",
                                                  .url = url,
                                                  .type = "application/vnd.git-lfs+json",
                                                  .headers = HF_TABLE(lfs_headers),
                                                  .body = text,
                                                  .body_len = strlen(text),
                                                  .flags = HF_HTTP_IDEMPOTENT},
                             &raw);
  free(text);
  if (st == HF_OK) st = read_answer(l, raw, objects, count);
  json_decref(raw);
  return st;
}

/* ---- for the dispatcher --------------------------------------------------------------------------------------------- */

static void fill(struct hf_send_file *f, const struct object *o) {
  const struct hf_hub_target *t = &o->target;
  f->url = t->url;
  f->complete_url = t->complete_url;
  f->headers = (struct hf_table)HF_TABLE_N(t->headers, t->header_count);
  f->parts = (struct hf_table)HF_TABLE_N(t->parts, t->part_count);
  f->etags = t->part_count ? t->etags : NULL;
}

static hf_status on_open(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, struct hf_source **out) {
  struct lfs *l = arg;
  (void)f;
  return hf_hub_op_checked(c, l->objects[l->object_of[i]].op, i, out);
}

static hf_status on_part(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, uint32_t part) {
  struct lfs *l = arg;
  (void)c;
  hf_hub_target_part(l->objects[l->object_of[i]].saved, part, f->etags[part]);
  return HF_OK;
}

static hf_status on_refresh(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i) {
  struct lfs *l = arg;
  struct object *o = &l->objects[l->object_of[i]];
  struct object *const one[] = {o};
  hf_host()->log(c, HF_LOG_INFO, "%s: its target was refused; asking for another", o->op->path);
  TRY(ask(l, c, one, 1));
  if (o->known) return HF_PENDING;
  fill(f, o);
  hf_hub_target_save(o->saved, &o->target);
  return HF_OK;
}

static hf_status verify(struct lfs *l, hf_call *c, struct object *o) {
  const struct hf_hub_target *t = &o->target;
  struct hf_http_resp resp;
  struct hf_hub hub = *l->k->hub;
  hub.call = c;
  if (!t->verify_url || o->known) return HF_OK;
  const char *body = hf_hub_text(c, "{\"oid\":\"%s\",\"size\":%llu}", o->oid, (unsigned long long)o->op->stamp.size);
  if (!body) return HF_ENOMEM;
  return hf_hub_send(&hub,
                     &(struct hf_hub_req){.method = "POST",
                                          .url = t->verify_url,
                                          .type = "application/json",
                                          .headers = HF_TABLE_N(t->verify_headers, t->verify_count),
                                          .body = body,
                                          .body_len = strlen(body),
                                          .flags = HF_HTTP_IDEMPOTENT},
                     &resp);
}

/* Any number of files but one has a bar that counts them. */
static void tell(struct lfs *l, hf_call *c, uint32_t type, const char *text) {
  if (!l->counts) return;
  hf_host()->emit(c, &(struct hf_event){.struct_size = sizeof(struct hf_event),
                                        .type = type,
                                        .item = UINT32_MAX,
                                        .done = atomic_load(&l->sent),
                                        .total = l->sending,
                                        .text = text});
}

static hf_status on_scanned(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, const struct hf_scan *scan) {
  struct lfs *l = arg;
  (void)c, (void)f;
  hf_hub_op_scanned(l->k, l->objects[l->object_of[i]].op, scan);
  return HF_OK;
}

static hf_status on_done(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, hf_status st) {
  struct lfs *l = arg;
  struct object *o = &l->objects[l->object_of[i]];
  (void)f;
  if (st == HF_OK) st = verify(l, c, o);
  hf_hub_target_close(o->saved, st == HF_OK);
  o->saved = NULL;
  if (st == HF_OK) {
    atomic_fetch_add(&l->sent, 1);
    tell(l, c, HF_EV_STATE, NULL);
  }
  return st == HF_ECANCELED ? HF_OK : st;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

static int by_oid(const void *a, const void *b) {
  return strcmp((*(const struct object *const *)a)->oid, (*(const struct object *const *)b)->oid);
}

/* token_url: by Xet. */
static hf_status send_all(struct lfs *l, uint32_t first, const char *token_url) {
  struct hf_hub_commit *k = l->k;
  l->counts = l->sending != 1 && !token_url;
  tell(l, l->call, HF_EV_BEGIN, hf_hub_text(l->call, "Upload %u LFS files", l->sending));
  struct hf_send s = {.struct_size = sizeof s,
                      .repo = k->repo,
                      .revision = k->revision,
                      .endpoint = k->hub->endpoint,
                      .width = k->width ? k->width : 8,
                      .first_item = first,
                      .files = l->files,
                      .count = l->sending,
                      .arg = l,
                      .open = on_open,
                      .part = on_part,
                      .refresh = token_url ? NULL : on_refresh,
                      .token_url = token_url,
                      .adapters = token_url ? "xet" : NULL,
                      .done = on_done,
                      .scanned = on_scanned};
  hf_status st = hf_send(l->call, &s);
  tell(l, l->call, HF_EV_END, NULL);
  return st;
}

static void plan(struct lfs *l, uint32_t from, uint32_t to) {
  l->sending = 0;
  atomic_store(&l->sent, 0);
  for (uint32_t i = from; i < to; i++) {
    struct object *o = &l->objects[i];
    if (o->known) continue;
    struct hf_send_file *f = &l->files[l->sending];
    *f = (struct hf_send_file){.struct_size = sizeof *f, .path = o->op->path, .size = o->op->stamp.size};
    if (o->op->flags & HF_OP_SHA256) {
      f->digest = (struct hf_digest){.algo = HF_DIGEST_SHA256, .len = 32};
      memcpy(f->digest.bytes, o->op->sha256, 32);
    }
    fill(f, o);
    l->object_of[l->sending++] = i;
  }
}

/* ---- by Xet --------------------------------------------------------------------------------------------------------- */

static int on_xet(void *usable, const struct hf_plugin_info *info) {
  *(bool *)usable |=
      info->kind == HF_KIND_TRANSFER && !info->refused && !strcmp(info->name, "xet") && (info->caps & HF_TR_UPLOAD);
  return 0;
}

bool hf_hub_uses_xet(hf_call *c) {
  const char *named = hf_hub_setting(c, "HF_TRANSFER");
  bool usable = false;
  if (hf_config_flag(hf_call_runtime(c), "HF_HUB_DISABLE_XET") || (named && !strstr(named, "xet"))) return false;
  hf_plugin_each(hf_call_runtime(c), on_xet, &usable);
  return usable;
}

/* Everything that is to be sent is there, and has a name. */
static bool all_named(const struct lfs *l) {
  for (uint32_t i = 0; i < l->count; i++)
    if (!(l->objects[i].op->flags & HF_OP_SHA256)) return false;
  return true;
}

/* All of them at once, or none: what fails here is sent by LFS. *done: they are there. */
static hf_status by_xet(struct lfs *l, uint32_t first, bool *done) {
  struct hf_hub_commit *k = l->k;
  const char *api = hf_hub_api_url(k->hub, &k->repo), *revision = hf_url_quote(l->call, k->revision, "");
  const char *token_url = api && revision ? hf_hub_text(l->call, "%s/xet-write-token/%s%s", api, revision,
                                                        k->create_pr ? "?create_pr=1" : "")
                                          : NULL;
  if (!token_url) return HF_ENOMEM;
  for (int turn = 1;; turn++) {
    plan(l, 0, l->count);
    hf_status st = l->sending ? send_all(l, first, token_url) : HF_OK;
    *done = st == HF_OK && all_named(l);
    if (*done || st == HF_ECANCELED || st == HF_EIO || st == HF_ENOMEM || st == HF_ECONFLICT || st == HF_EPERM ||
        hf_host()->check(l->call) != HF_OK)
      return st;
    const struct hf_error *e = hf_host()->error(l->call);
    bool again = turn == 1 && e && e->code == HF_EPROTO && e->retryable;
    hf_host()->log(l->call, HF_LOG_WARNING, "Xet does not take the files (%s); they are sent %s",
                   e && e->message ? e->message : hf_status_name(st), again ? "once more" : "by LFS");
    hf_host()->clear(l->call);
    if (!again) return HF_OK;
  }
}

/* What is to be sent; of files that are known to be equal, one. */
static void gather(struct lfs *l, struct hf_hub_op *const *ops, uint32_t count, struct object **sorted) {
  uint32_t named = 0;
  l->count = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct hf_hub_op *op = ops[i];
    if (hf_hub_op_unchanged(op)) op->flags |= HF_OP_UNCHANGED;
    if (op->flags & (HF_OP_UNCHANGED | HF_OP_IGNORED)) continue;
    struct object *o = &l->objects[l->count++];
    *o = (struct object){.op = op};
    if (!(op->flags & HF_OP_SHA256)) continue;
    for (int b = 0; b < 32; b++) snprintf(o->oid + 2 * b, 3, "%02x", op->sha256[b]);
    sorted[named++] = o;
  }
  if (!named) return;
  qsort(sorted, named, sizeof *sorted, by_oid);
  for (uint32_t i = 1; i < named; i++)
    if (!strcmp(sorted[i - 1]->oid, sorted[i]->oid)) sorted[i]->known = true; /* sent under the other's name */
}

static uint32_t large_count(struct hf_hub_op *const *ops, uint32_t count) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < count; i++) n += !(ops[i]->flags & HF_OP_IGNORED);
  return n;
}

static void tell_ignored(struct lfs *l, uint32_t ignored) {
  if (ignored)
    hf_hub_log(l->k->hub, l->k->by_xet && l->k->split ? HF_LOG_DEBUG : HF_LOG_INFO,
               "Skipped upload for %u LFS file(s) (ignored by gitignore file).", ignored);
}

/* As many as one question may name. */
static hf_status by_lfs(struct lfs *l, uint32_t from, uint32_t to, uint32_t first, struct object **asked) {
  uint32_t n = 0;
  for (uint32_t i = from; i < to; i++) {
    struct object *o = &l->objects[i];
    bool known = false;
    if (o->known) continue;
    o->saved = hf_hub_target_open(l->k->hub, l->call, &l->k->repo, o->oid, o->op->stamp.size, &o->target, &known);
    if (!known) asked[n++] = o;
  }
  if (n) TRY(ask(l, l->call, asked, n));
  for (uint32_t i = 0; i < n; i++)
    if (!asked[i]->known) hf_hub_target_save(asked[i]->saved, &asked[i]->target);
  plan(l, from, to);
  return l->sending ? send_all(l, first + from, NULL) : HF_OK;
}

static hf_status run(struct lfs *l, struct hf_hub_op *const *ops, uint32_t count, uint32_t first,
                     struct object **asked) {
  uint32_t wanted = large_count(ops, count);
  bool done = false;
  tell_ignored(l, count - wanted);
  if (l->k->by_xet) {
    gather(l, ops, count, asked);
    if (l->count) TRY(by_xet(l, first, &done));
    for (uint32_t i = 0; i < count && done; i++) hf_hub_op_forget(l->k, ops[i]);
    if (done) return HF_OK;
  }
  TRY(hf_hub_hash_rest(l->k, l->call, ops, count));
  gather(l, ops, count, asked);
  for (uint32_t at = 0; wanted && at < l->count + !l->count; at += HF_WINDOW)
    TRY(by_lfs(l, at, at + HF_WINDOW < l->count ? at + HF_WINDOW : l->count, first, asked));
  return HF_OK;
}

hf_status hf_hub_lfs_send(struct hf_hub_commit *k, hf_call *c, struct hf_hub_op *const *ops, uint32_t count,
                          uint32_t first) {
  struct lfs l = {.k = k, .call = c};
  l.objects = calloc(count + 1, sizeof *l.objects);
  l.files = calloc(count + 1, sizeof *l.files);
  l.object_of = calloc(count + 1, sizeof *l.object_of);
  struct object **asked = calloc(count + 1, sizeof *asked);
  hf_status st =
      l.objects && l.files && l.object_of && asked ? HF_OK : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  if (st == HF_OK) st = run(&l, ops, count, first, asked);
  for (uint32_t i = 0; l.objects && i < l.count; i++) hf_hub_target_close(l.objects[i].saved, l.objects[i].known);
  free(l.objects);
  free(l.files);
  free(l.object_of);
  free(asked);
  return st;
}
