/* api.c - the typed functions of hf_hub.h: each runs the pack's own function as one operation and copies its answer into a
 * result that the caller owns.
 * Nothing is done here that a task could not do; what differs is that errors keep their class and that nothing is printed.
 * Without a watch the operation runs on the calling thread: no thread is started for it. */
#include "api.h"
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HF_RANGE_MAX (64u << 20)

void hf_hub_result_free(struct hf_hub_result *r) {
  struct hf_hub_owned *o = (struct hf_hub_owned *)(void *)r;
  if (!o) return;
  char *texts[] = {o->cls, o->message, o->request_id, o->url, o->path, o->json, o->id, o->sha, o->data, o->page};
  for (size_t i = 0; i < HF_COUNT(texts); i++) free(texts[i]);
  free(o);
}

hf_status hf_hub_job_keep(hf_call *c, char **to, const char *text) {
  free(*to);
  *to = text ? strdup(text) : NULL;
  return text && !*to ? hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.") : HF_OK;
}

static hf_status begin(struct hf_hub *hub, hf_call *c, const struct hf_hub_job *j, bool download) {
  return hf_hub_begin(hub, c, NULL, j->opts.token, j->opts.library ? j->opts.library : "unknown/None", download);
}

static struct hf_repo repo_of(const struct hf_hub_job *j) {
  return (struct hf_repo){j->opts.repo_type ? j->opts.repo_type : "model", j->repo_id};
}

static hf_status check(hf_call *c, const struct hf_repo *repo) {
  TRY(hf_hub_check_repo(c, repo->id));
  return hf_hub_check_type(c, repo->type);
}

/* Takes json in every case. */
hf_status hf_hub_job_give(hf_call *c, struct hf_hub_job *j, json_t *json) {
  j->out->json = json ? json_dumps(json, JSON_COMPACT) : NULL;
  hf_status st = j->out->json ? HF_OK : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  if (st == HF_OK && json_is_object(json)) {
    st = hf_hub_job_keep(c, &j->out->id, hf_hub_get(json, "id"));
    if (st == HF_OK) st = hf_hub_job_keep(c, &j->out->sha, hf_hub_get(json, "sha"));
  }
  json_decref(json);
  return st;
}

/* ---- downloads -------------------------------------------------------------------------------------------------------- */

static uint32_t count(const char *const *list) {
  uint32_t n = 0;
  while (list && list[n]) n++;
  return n;
}

static struct hf_hub_want want_of(const struct hf_hub_job *j) {
  const struct hf_hub_opts *o = &j->opts;
  return (struct hf_hub_want){.repo = repo_of(j),
                              .revision = o->revision ? o->revision : "main",
                              .cache_dir = o->cache_dir,
                              .local_dir = o->local_dir,
                              .patterns = {o->allow, o->ignore, count(o->allow), count(o->ignore)},
                              .width = o->max_workers ? o->max_workers : 8,
                              .force = o->flags & HF_HUB_FORCE,
                              .local_only = o->flags & HF_HUB_LOCAL_ONLY};
}

static hf_status run_download(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_hub_want w = want_of(j);
  const char *path = NULL;
  TRY(begin(&hub, c, j, true));
  TRY(hf_hub_file(&hub, &w, j->name, &path, NULL));
  return hf_hub_job_keep(c, &j->out->path, path);
}

static hf_status run_snapshot(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_hub_want w = want_of(j);
  struct hf_hub_plan *plans;
  const char *path = NULL;
  uint32_t n;
  TRY(begin(&hub, c, j, true));
  TRY(hf_hub_snapshot(&hub, &w, &path, &plans, &n));
  return hf_hub_job_keep(c, &j->out->path, path);
}

/* "bytes 10-19/100" must begin where it was asked to. */
static bool begins_at(const char *range, uint64_t offset) {
  unsigned long long first;
  return range && sscanf(range, "bytes %llu-", &first) == 1 && first == offset;
}

/* A Xet file: its chunks are fetched, by whatever adapter can; false: it is none. */
static bool by_xet(hf_call *c, struct hf_hub *hub, const struct hf_hub_job *j, const struct hf_repo *repo,
                   hf_status *st) {
  struct hf_hub_want w = {.repo = *repo, .revision = j->opts.revision ? j->opts.revision : "main"};
  struct hf_hub_meta m = {.size = HF_SIZE_UNKNOWN};
  const char *absent;
  *st = hf_hub_head(hub, repo, w.revision, j->name, false, &m, &absent);
  bool xet = *st == HF_OK && m.xet_hash && m.size != HF_SIZE_UNKNOWN && j->offset < m.size;
  if (!xet) hf_host()->clear(c); /* the request for the bytes says what is wrong */
  if (!xet) return false;
  uint64_t len = m.size - j->offset < j->len ? m.size - j->offset : j->len;
  w.only = (struct hf_range){j->offset, len};
  struct hf_fetch_file file = {.struct_size = sizeof file,
                               .path = j->name,
                               .etag = m.etag,
                               .xet_hash = m.xet_hash,
                               .url = m.url,
                               .size = m.size};
  struct hf_hub_pipe pipe = {.window = calloc(1, (size_t)len + 1), .at = w.only};
  struct hf_hub_stores s = {.store = NULL};
  j->out->data = (char *)pipe.window;
  j->out->r.len = (size_t)len;
  *st = pipe.window ? hf_hub_pipe_open(c, &pipe, &s.store) : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  if (*st != HF_OK) return true;
  hf_hub_digest(m.etag, &file.digest);
  *st = hf_hub_fetch(hub, &w, &s, m.commit, &file, 1, NULL, NULL);
  hf_store_close(s.store);
  return true;
}

static hf_status run_range(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_repo repo = repo_of(j);
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  TRY(check(c, &repo));
  TRY(hf_hub_check_file(c, j->name));
  if (j->len > HF_RANGE_MAX || j->offset > INT64_MAX)
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "A range in memory has at most 64 MiB; read '%s' in pieces.",
                       j->name);
  TRY(begin(&hub, c, j, true));
  hf_status by = HF_OK;
  bool may = j->len && !hf_config_flag(hf_call_runtime(c), "HF_HUB_DISABLE_XET");
  if (may && by_xet(c, &hub, j, &repo, &by)) return by;
  const char *url = hf_hub_resolve_url(&hub, &repo, j->opts.revision ? j->opts.revision : "main", j->name);
  const char *range =
      hf_hub_text(c, "bytes=%llu-%llu", (unsigned long long)j->offset, (unsigned long long)(j->offset + j->len - 1));
  if (!url || !range) return HF_ENOMEM;
  const char *from = "";
  size_t len = 0;
  if (j->len) {
    hf_status st = hf_hub_send(&hub, &(struct hf_hub_req){.url = url, .range = range, .identity = true}, &resp);
    const struct hf_error *e = hf_host()->error(c);
    if (st != HF_OK && e && e->http_status == 416)
      hf_host()->clear(c), st = HF_OK, resp.status = 416; /* behind the end */
    TRY(st);
  }
  if (resp.status == 206) {
    if (!begins_at(hf_hub_header(&resp, "content-range"), j->offset) || resp.body_len > j->len)
      return hf_hub_fail(c, HF_EPROTO, NULL, "The server sent another range of '%s' than asked for; check proxies.",
                         j->name);
    from = resp.body;
    len = resp.body_len;
  } else if (resp.status == 200 && j->offset < resp.body_len) { /* the whole file */
    from = (const char *)resp.body + j->offset;
    len = resp.body_len - j->offset < j->len ? resp.body_len - j->offset : j->len;
  }
  j->out->data = malloc(len + 1);
  if (!j->out->data) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  memcpy(j->out->data, from, len);
  j->out->data[len] = 0;
  j->out->r.len = len;
  return HF_OK;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------- */

static hf_status run_info(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_repo repo = {j->name, j->repo_id};
  json_t *raw, *made;
  TRY(check(c, &repo));
  TRY(begin(&hub, c, j, false));
  TRY(hf_hub_info(&hub, &repo, j->opts.revision, j->opts.expand, &raw));
  hf_status st = hf_hub_shape_info(c, repo.type, raw, &made);
  json_decref(raw);
  return st == HF_OK ? hf_hub_job_give(c, j, made) : st;
}

static hf_status run_list(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  const char *task = hf_hub_text(c, "%ss.list", j->name);
  const struct hf_task *row = task ? hf_task_find(j->rt, task) : NULL;
  hf_args *args = row ? hf_args_new(row) : NULL;
  const struct {
    const char *name, *value;
  } given[] = {
      {"search", j->opts.search}, {"author", j->opts.author}, {"filter", j->opts.filter}, {"sort", j->opts.sort}};
  json_t *items = NULL;
  hf_status st = args ? begin(&hub, c, j, false) : HF_ENOMEM;
  for (size_t i = 0; st == HF_OK && i < HF_COUNT(given); i++)
    if (given[i].value) st = hf_args_add(args, given[i].name, given[i].value);
  if (st == HF_OK)
    st = hf_hub_list(&hub, j->name, args, j->opts.expand, j->opts.limit ? (int64_t)j->opts.limit : -1, &items);
  hf_args_free(args);
  return st == HF_OK ? hf_hub_job_give(c, j, items) : st;
}

struct gather {
  hf_call *call;
  json_t *items;
  hf_status (*shape)(hf_call *, const json_t *, json_t **);
};

static hf_status gather_item(void *arg, json_t *item) {
  struct gather *g = arg;
  json_t *made;
  TRY(g->shape(g->call, item, &made));
  return json_array_append_new(g->items, made) ? HF_ENOMEM : HF_OK;
}

static hf_status run_tree(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_repo repo = repo_of(j);
  TRY(check(c, &repo));
  TRY(begin(&hub, c, j, false));
  struct gather g = {c, json_array(), hf_hub_shape_entry};
  hf_status st = hf_hub_tree(&hub, &repo, j->opts.revision, j->opts.path, j->opts.flags & HF_HUB_RECURSIVE,
                             j->opts.flags & HF_HUB_EXPAND, gather_item, &g);
  if (st == HF_OK) return hf_hub_job_give(c, j, g.items);
  json_decref(g.items);
  return st;
}

static hf_status run_refs(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_repo repo = repo_of(j);
  json_t *made;
  TRY(check(c, &repo));
  TRY(begin(&hub, c, j, false));
  TRY(hf_hub_refs(&hub, &repo, j->opts.flags & HF_HUB_PULLS, &made));
  return hf_hub_job_give(c, j, made);
}

static hf_status run_commits(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_hub hub;
  struct hf_repo repo = repo_of(j);
  TRY(check(c, &repo));
  TRY(begin(&hub, c, j, false));
  struct gather g = {c, json_array(), hf_hub_shape_commit};
  hf_status st = hf_hub_commits(&hub, &repo, j->opts.revision, false, gather_item, &g);
  if (st == HF_OK) return hf_hub_job_give(c, j, g.items);
  json_decref(g.items);
  return st;
}

/* ---- the cache --------------------------------------------------------------------------------------------------------------- */

static hf_status read_cache(hf_call *c, const struct hf_hub_job *j, hf_store **store, struct hf_cache *k) {
  *store = NULL;
  TRY(hf_cache_store(c, j->opts.cache_dir, store));
  hf_status st = hf_cache_read(c, *store, NULL, HF_SCAN_FILES, k);
  if (st != HF_OK) hf_store_close(*store);
  return st;
}

static hf_status run_cache_scan(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_cache k;
  hf_store *store;
  TRY(read_cache(c, j, &store, &k));
  json_t *made = hf_cache_json(&k);
  hf_cache_free(&k);
  hf_store_close(store);
  return hf_hub_job_give(c, j, made);
}

static hf_status run_cache_delete(hf_call *c, void *arg) {
  struct hf_hub_job *j = arg;
  struct hf_cache k;
  struct hf_cache_choice p;
  hf_store *store;
  TRY(read_cache(c, j, &store, &k));
  hf_status st = hf_cache_choose(&k, j->targets, count(j->targets), &p);
  if (st == HF_OK && !(j->opts.flags & HF_HUB_DRY_RUN)) st = hf_cache_remove(&k, store, false);
  hf_cache_free(&k);
  hf_store_close(store);
  TRY(st);
  json_t *missing = json_array();
  for (uint32_t i = 0; i < p.missing_count; i++) json_array_append_new(missing, json_string(p.missing[i]));
  return hf_hub_job_give(
      c, j,
      json_pack("{s:I, s:I, s:I, s:I, s:o}", "repos", (json_int_t)p.repos, "revisions", (json_int_t)p.revisions,
                "files", (json_int_t)p.label_count, "freed", (json_int_t)p.freed, "missing", missing));
}

/* ---- running a job ---------------------------------------------------------------------------------------------------------- */

static void keep_error(struct hf_hub_owned *o, const struct hf_error *e, hf_status st) {
  o->error = e ? *e : (struct hf_error){.code = st, .message = "Out of memory."};
  o->error.struct_size = sizeof o->error;
  const char **from[] = {&o->error.cls, &o->error.message, &o->error.request_id, &o->error.url};
  char **to[] = {&o->cls, &o->message, &o->request_id, &o->url};
  for (size_t i = 0; i < HF_COUNT(from); i++) {
    *to[i] = *from[i] ? strdup(*from[i]) : NULL;
    *from[i] = *to[i];
  }
  if (!o->error.message) o->error.message = "Out of memory.";
  o->r.error = &o->error;
}

hf_status hf_hub_job_run(struct hf_hub_job *j, const struct hf_hub_opts *opts, hf_status (*fn)(hf_call *, void *),
                         struct hf_hub_result **out) {
  struct hf_watch watch = {.struct_size = sizeof watch};
  *out = NULL;
  struct hf_hub_owned *o = calloc(1, sizeof *o);
  if (!o) return HF_ENOMEM;
  if (opts) memcpy(&j->opts, opts, opts->struct_size < sizeof j->opts ? opts->struct_size : sizeof j->opts);
  if (j->opts.watch) {
    size_t n = j->opts.watch->struct_size;
    memcpy(&watch, j->opts.watch, n < sizeof watch ? n : sizeof watch);
    watch.record = NULL;
  }
  watch.struct_size = sizeof watch;
  watch.flags |= HF_WATCH_RUN_IN_WAIT;
  o->r.struct_size = sizeof o->r;
  j->out = o;
  hf_op *op = hf_op_start_fn(j->rt, fn, j, &watch);
  hf_status st = op ? hf_op_wait(op) : HF_ENOMEM;
  if (st != HF_OK) keep_error(o, op ? hf_op_error(op) : NULL, st);
  hf_op_free(op);
  if (st == HF_OK) {
    o->r.path = o->path;
    o->r.json = o->json;
    o->r.json_len = o->json ? strlen(o->json) : 0;
    o->r.id = o->id;
    o->r.sha = o->sha;
    o->r.data = o->data;
    o->r.page = o->page;
  }
  *out = &o->r;
  return st;
}

static int32_t take(void *arg, uint32_t what, const char *json, size_t len) {
  struct hf_hub_owned *o = arg;
  if (what != HF_OUT_RESULT && what != HF_OUT_DICT) return 0;
  free(o->json);
  o->json = strndup(json, len);
  return !o->json;
}

hf_status hf_hub_task_result(hf_runtime *rt, const char *task, json_t *args, const char *id,
                             const struct hf_hub_opts *opts, struct hf_hub_result **out) {
  struct hf_hub_opts have = {0};
  if (opts) memcpy(&have, opts, opts->struct_size < sizeof have ? opts->struct_size : sizeof have);
  struct hf_kv library = {"hub.library", have.library ? have.library : "unknown/None"};
  struct hf_hub_owned *o = calloc(1, sizeof *o);
  *out = NULL;
  if (args && have.token) json_object_set_new(args, "token", json_string(have.token));
  char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
  struct hf_watch watch = {.struct_size = sizeof watch,
                           .flags = HF_WATCH_RUN_IN_WAIT,
                           .arg = o,
                           .record = take,
                           .options = HF_TABLE_N(&library, 1)};
  if (have.watch) watch.deadline_ms = have.watch->deadline_ms;
  hf_op *op = o && text ? hf_op_start(rt, task, text, &watch) : NULL;
  hf_status st = op ? hf_op_wait(op) : HF_ENOMEM;
  json_decref(args);
  free(text);
  if (!o) return HF_ENOMEM;
  o->r.struct_size = sizeof o->r;
  if (st != HF_OK) {
    keep_error(o, op ? hf_op_error(op) : NULL, st);
  } else if (o->json) {
    json_t *json = json_loads(o->json, 0, NULL);
    o->id = id && hf_hub_get(json, id) ? strdup(hf_hub_get(json, id)) : NULL;
    o->r =
        (struct hf_hub_result){.struct_size = sizeof o->r, .json = o->json, .json_len = strlen(o->json), .id = o->id};
    json_decref(json);
  }
  hf_op_free(op);
  *out = &o->r;
  return st;
}

hf_status hf_hub_download(hf_runtime *rt, const char *repo_id, const char *filename, const struct hf_hub_opts *o,
                          struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id, .name = filename}, o, run_download, out);
}
hf_status hf_snapshot_download(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o,
                               struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id}, o, run_snapshot, out);
}
hf_status hf_read_range(hf_runtime *rt, const char *repo_id, const char *filename, uint64_t offset, size_t len,
                        const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(
      &(struct hf_hub_job){.rt = rt, .repo_id = repo_id, .name = filename, .offset = offset, .len = len}, o, run_range,
      out);
}
hf_status hf_model_info(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id, .name = "model"}, o, run_info, out);
}
hf_status hf_dataset_info(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o,
                          struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id, .name = "dataset"}, o, run_info, out);
}
hf_status hf_space_info(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id, .name = "space"}, o, run_info, out);
}
hf_status hf_list_models(hf_runtime *rt, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .name = "model"}, o, run_list, out);
}
hf_status hf_list_datasets(hf_runtime *rt, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .name = "dataset"}, o, run_list, out);
}
hf_status hf_list_spaces(hf_runtime *rt, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .name = "space"}, o, run_list, out);
}
hf_status hf_list_repo_tree(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o,
                            struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id}, o, run_tree, out);
}
hf_status hf_list_repo_refs(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o,
                            struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id}, o, run_refs, out);
}
hf_status hf_list_repo_commits(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o,
                               struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .repo_id = repo_id}, o, run_commits, out);
}
hf_status hf_cache_scan(hf_runtime *rt, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt}, o, run_cache_scan, out);
}
hf_status hf_cache_delete(hf_runtime *rt, const char *const *targets, const struct hf_hub_opts *o,
                          struct hf_hub_result **out) {
  return hf_hub_job_run(&(struct hf_hub_job){.rt = rt, .targets = targets}, o, run_cache_delete, out);
}
