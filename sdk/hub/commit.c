/* commit.c - a commit from its operations: questions 256 files a time while the next files are being read, large files sent in
 * groups while the next group is hashed, the commit itself, which exists whole or not at all.
 * A large one becomes several where that was allowed: what is committed stays, and the next run finds it unchanged. */
#include "commit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 2, WINDOWS = 3, GROUP_FILES = 4096, FILES_FIRST = 1000, FILES_MOST = 10000, FILES_LEAST = 20 };
#define GROUP_BYTES   ((uint64_t)8 << 30)
#define REGULAR_BYTES ((uint64_t)100 << 20)
#define HELD_BYTES    ((uint64_t)20 << 20) /* of small files: those of one commit are held while the next ones are read */
#define NEAR_NS       ((uint64_t)1000000000)
#define QUICK_NS      ((uint64_t)10 * 1000000000)
#define SLOW_NS       ((uint64_t)40 * 1000000000)

/* Large files that are sent together, beside everything else: the first ones at once, later as many as come while others are
 * on their way. */
struct group {
  struct run *run;
  struct hf_hub_op *ops[GROUP_FILES];
  uint32_t count, first;
  uint64_t bytes;
  hf_jobs *jobs;      /* NULL: not running */
  _Atomic bool ended; /* its work, if not yet its jobs */
};

struct run {
  struct hf_hub_commit *k;
  struct hf_hub_op **ops;  /* of the commit that is being collected */
  uint32_t count, changed; /* operations; of which are not unchanged */
  uint64_t regular;
  struct group groups[GROUPS];
  uint32_t filling, large; /* group that collects; large files so far */
  uint32_t left_out, ignored;
  /* The commit that is being made beside the next one's questions: its own, until it is joined. */
  hf_jobs *committing;
  struct hf_hub_op **sent;
  uint32_t sent_count, commits;
  _Atomic bool idle;           /* no commit is being made */
  _Atomic bool near;           /* the last one took no longer than reading its files again would */
  _Atomic uint32_t files_most; /* of one commit: more while they are quick, fewer when they are slow */
  const char *revision;
};

static hf_status no_memory(hf_call *c) {
  return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for a commit; commit fewer files at once.");
}

/* ---- checks --------------------------------------------------------------------------------------------------------------- */

hf_status hf_hub_commit_words(const struct hf_hub_commit *k) {
  const char *const words[] = {k->message, k->description};
  for (size_t i = 0; i < HF_COUNT(words); i++) {
    json_t *text = json_string(words[i] ? words[i] : "");
    bool good = text != NULL;
    json_decref(text);
    if (!good)
      return hf_hub_fail(k->hub->call, HF_EINVAL, "ValueError",
                         "The commit's message and description must be UTF-8; check them.");
  }
  return HF_OK;
}

hf_status hf_hub_commit_check(struct hf_hub_commit *k) {
  hf_call *c = k->hub->call;
  size_t n = k->parent ? strlen(k->parent) : 0;
  TRY(hf_hub_check_repo(c, k->repo.id));
  TRY(hf_hub_check_type(c, k->repo.type));
  if (k->parent && (n < 5 || n > 40 || strspn(k->parent, "0123456789abcdefABCDEF") != n))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "`parent_commit` is not a valid commit OID. It must match the following regex: "
                       "re.compile('[A-Fa-f0-9]{5,40}')");
  if (!k->message || !*k->message)
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "`commit_message` can't be empty, please pass a value.");
  TRY(hf_hub_commit_words(k));
  if (!k->description) k->description = "";
  return HF_OK;
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && !strcmp(text + n - m, end);
}

static void warn(struct hf_hub_commit *k, const char *format, const char *path) {
  const char *at = strstr(format, "%s");
  hf_hub_log(k->hub, HF_LOG_WARNING, "UserWarning: %.*s%s%s", (int)(at - format), format, path, at + 2);
}

static int by_path(const void *a, const void *b) {
  return strcmp((*(struct hf_hub_op *const *)a)->path, (*(struct hf_hub_op *const *)b)->path);
}

/* One path added twice: the reference warns and goes on. */
static void warn_of_twins(struct hf_hub_commit *k, struct hf_hub_op **adds, uint32_t count) {
  if (count) qsort(adds, count, sizeof *adds, by_path);
  for (uint32_t i = 1; i < count; i++)
    if (!strcmp(adds[i - 1]->path, adds[i]->path))
      warn(k,
           "About to update multiple times the same file in the same commit: '%s'. This can cause undesired "
           "inconsistencies in your repo.",
           adds[i]->path);
}

/* Additions by path: the first that is not before `key`. */
static uint32_t lower_bound(struct hf_hub_op **adds, uint32_t count, const char *key, size_t len) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (strncmp(adds[middle]->path, key, len) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Deleted first and added then is what is wanted; the other way round is not. */
static void judge_deletion(struct hf_hub_commit *k, struct hf_hub_op *deletion, struct hf_hub_op **adds,
                           uint32_t count) {
  size_t n = strlen(deletion->path);
  bool warned = false, folder = deletion->kind == HF_OP_DELETE_FOLDER;
  while (n && deletion->path[n - 1] == '/') n--;
  for (uint32_t i = lower_bound(adds, count, deletion->path, n); i < count; i++) {
    const char *path = adds[i]->path;
    if (strncmp(path, deletion->path, n) != 0) break;
    if (path[n] && path[n] != '/') continue;
    adds[i]->flags |= HF_OP_DELETED_TOO;
    if (warned || adds[i] > deletion) continue;
    warned = true;
    warn(k,
         folder ? "About to delete a folder containing files that have just been updated within the same commit: '%s'. "
                  "This can cause undesired inconsistencies in your repo."
                : "About to delete a file that have just been updated within the same commit: '%s'. This can cause "
                  "undesired inconsistencies in your repo.",
         deletion->path);
  }
}

hf_status hf_hub_ops_judge(struct hf_hub_commit *k) {
  static const char *const data[] = {".arrow", ".parquet"};
  struct hf_hub_op **adds = calloc(k->ops.count + 1, sizeof *adds);
  uint32_t count = 0;
  if (!adds) return no_memory(k->hub->call);
  for (uint32_t i = 0; i < k->ops.count; i++) {
    struct hf_hub_op *op = &k->ops.rows[i];
    if (op->kind != HF_OP_ADD) continue;
    adds[count++] = op;
    for (size_t d = 0; d < HF_COUNT(data) && strcmp(k->repo.type, "dataset"); d++)
      if (ends_with(op->path, data[d]))
        hf_hub_log(k->hub, HF_LOG_WARNING,
                   "UserWarning: It seems that you are about to commit a data file (%s) to a %s repository. You are "
                   "sure this is intended? If you are trying to upload a dataset, please set `repo_type='dataset'` or "
                   "`--repo-type=dataset` in a CLI.",
                   op->path, k->repo.type);
  }
  warn_of_twins(k, adds, count);
  for (uint32_t i = 0; i < k->ops.count; i++)
    if (k->ops.rows[i].kind == HF_OP_DELETE_FILE || k->ops.rows[i].kind == HF_OP_DELETE_FOLDER)
      judge_deletion(k, &k->ops.rows[i], adds, count);
  free(adds);
  return HF_OK;
}

/* ---- the commit itself ------------------------------------------------------------------------------------------------------- */

static bool is_left_out(const struct hf_hub_op *op) {
  return op->kind == HF_OP_ADD && (op->flags & (HF_OP_IGNORED | HF_OP_UNCHANGED));
}

const char *hf_hub_commit_url(hf_call *c, const struct hf_hub_commit *k, const char *oid) {
  bool model = !strcmp(k->repo.type, "model");
  return hf_hub_text(c, "%s/%s%s%s/commit/%s", k->hub->endpoint, model ? "" : k->repo.type, model ? "" : "s/",
                     k->repo.id, oid);
}

static const char *message_of(hf_call *c, const struct run *r) {
  return r->commits ? hf_hub_text(c, "%s (part %u)", r->k->message, r->commits + 1) : r->k->message;
}

static int32_t detail(const struct run *r) { /* of the words that the reference has without Xet only */
  return r->k->by_xet && r->k->split ? HF_LOG_DEBUG : HF_LOG_INFO;
}

/* ".../discussions/7": its ref takes the commits that follow. */
static hf_status follow_pull(hf_call *c, struct run *r) {
  const char *slash = r->k->pr_url ? strrchr(r->k->pr_url, '/') : NULL;
  if (!slash || !isdigit((unsigned char)slash[1])) return HF_OK;
  r->revision = hf_hub_text(c, "refs/pr/%.18s", slash + 1);
  return r->revision ? HF_OK : HF_ENOMEM;
}

static hf_status read_answer(hf_call *c, struct run *r, const json_t *raw) {
  struct hf_hub_commit *k = r->k;
  const char *url = hf_hub_get(raw, "commitUrl"), *oid = hf_hub_get(raw, "commitOid"),
             *pr = hf_hub_get(raw, "pullRequestUrl");
  if (!url || !oid)
    return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub did not say which commit it made; look at %s.", k->repo.id);
  k->url = hf_host()->intern(c, url, SIZE_MAX);
  k->oid = hf_host()->intern(c, oid, SIZE_MAX);
  bool opened = pr && k->create_pr && !k->pr_url;
  if (opened) k->pr_url = hf_host()->intern(c, pr, SIZE_MAX);
  k->committed = true;
  if (!k->url || !k->oid) return HF_ENOMEM;
  return opened ? follow_pull(c, r) : HF_OK;
}

/* The commit itself is to open the pull request. */
static bool opens_pull(const struct run *r) {
  return r->k->create_pr && !r->commits && !r->k->pr_url;
}

static hf_status post(hf_call *c, struct run *r, struct hf_hub_op *const *ops, uint32_t count, json_t **raw) {
  struct hf_hub_commit *k = r->k;
  struct hf_hub hub = *k->hub;
  struct hf_source *body;
  hub.call = c;
  const char *url = hf_hub_api_url(&hub, &k->repo), *rev = hf_hub_quote(c, r->revision, ""),
             *message = message_of(c, r);
  url = url && rev ? hf_hub_text(c, "%s/commit/%s%s", url, rev, opens_pull(r) ? "?create_pr=1" : "") : NULL;
  if (!url || !message) return HF_ENOMEM;
  TRY(hf_hub_commit_body(c, message, k->description, r->commits ? NULL : k->parent, ops, count, &body));
  hf_status st = hf_hub_json(
      &hub,
      &(struct hf_hub_req){.method = "POST", .url = url, .tries = 1, .type = "application/x-ndjson", .source = body},
      raw);
  body->close(body);
  return st;
}

/* For one commit, says the server. */
static bool too_much(hf_call *c) {
  const struct hf_error *e = hf_host()->error(c);
  return e && (e->http_status == 413 || e->http_status == 504);
}

/* With Xet the reference opens the pull request first, and commits to its ref: that can be repeated without a second one. */
static hf_status open_pull(hf_call *c, struct run *r) {
  static const char made_by[] =
      "Pull Request opened with the [huggingface_hub Python library](https://huggingface.co/docs/huggingface_hub)";
  struct hf_hub_commit *k = r->k;
  struct hf_hub hub = *k->hub;
  json_t *raw = NULL;
  hub.call = c;
  const char *api = hf_hub_api_url(&hub, &k->repo), *url = api ? hf_hub_text(c, "%s/discussions", api) : NULL;
  json_t *body = json_pack("{s:s, s:s, s:b}", "title", k->message, "description",
                           *k->description ? k->description : made_by, "pullRequest", 1);
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  json_decref(body);
  hf_status st = url && text ? HF_OK : no_memory(c);
  if (st == HF_OK)
    st = hf_hub_json(
        &hub,
        &(struct hf_hub_req){
            .method = "POST", .url = url, .type = "application/json", .body = text, .body_len = strlen(text)},
        &raw);
  free(text);
  json_t *number = json_object_get(raw, "num");
  if (st == HF_OK && !json_is_integer(number))
    st = hf_hub_fail(c, HF_EPROTO, "ValueError", "Server did not return a git reference for the created pull request.");
  if (st == HF_OK) {
    bool model = !strcmp(k->repo.type, "model");
    k->pr_url = hf_hub_text(c, "%s/%s%s%s/discussions/%lld", k->hub->endpoint, model ? "" : k->repo.type,
                            model ? "" : "s/", k->repo.id, (long long)json_integer_value(number));
    st = k->pr_url ? follow_pull(c, r) : HF_ENOMEM;
  }
  json_decref(raw);
  return st;
}

static hf_status post_surely(hf_call *c, struct run *r, struct hf_hub_op *const *ops, uint32_t count) {
  if (opens_pull(r) && r->k->by_xet && r->k->split) TRY(open_pull(c, r));
  for (uint32_t n = 1;; n++) {
    json_t *raw = NULL;
    hf_status st = post(c, r, ops, count, &raw);
    if (st == HF_OK) st = read_answer(c, r, raw);
    json_decref(raw);
    if (st == HF_OK || !hf_hub_commit_in_doubt(c, st)) return st;
    struct hf_hub_doubt d = {r->k, r->revision, message_of(c, r), ops, count, opens_pull(r)};
    if (!d.title) return HF_ENOMEM;
    st = hf_hub_commit_doubt(c, &d, n);
    if (st == HF_OK && d.opens_pull) return follow_pull(c, r);
    if (st != HF_PENDING) return st;
  }
}

static hf_status commit_ops(hf_call *c, struct run *r, struct hf_hub_op *const *ops, uint32_t count) {
  bool deletes = false;
  for (uint32_t i = 0; i < count; i++)
    deletes |= ops[i]->kind == HF_OP_DELETE_FILE || ops[i]->kind == HF_OP_DELETE_FOLDER;
  hf_status st = post_surely(c, r, ops, count);
  if (st != HF_OK && r->k->split && !deletes && count > FILES_LEAST && too_much(c)) {
    hf_hub_log(r->k->hub, HF_LOG_WARNING, "Commit of %u files failed. Retrying in smaller chunks.", count);
    hf_host()->clear(c);
    TRY(commit_ops(c, r, ops, count / 2));
    return commit_ops(c, r, ops + count / 2, count - count / 2);
  }
  if (st == HF_OK) r->commits++;
  return st;
}

static hf_status commit_run(hf_call *c, void *arg) {
  struct run *r = arg;
  uint64_t began = hf_host()->now_ns();
  hf_status st = commit_ops(c, r, r->sent, r->sent_count);
  uint64_t ns = hf_host()->now_ns() - began;
  uint32_t most = atomic_load(&r->files_most);
  atomic_store(&r->near, ns < NEAR_NS);
  if (ns < QUICK_NS && most < FILES_MOST) atomic_store(&r->files_most, most * 2);
  if (ns > SLOW_NS && most > 2 * FILES_LEAST) atomic_store(&r->files_most, most / 2);
  for (uint32_t i = 0; i < r->sent_count; i++) hf_hub_op_forget(r->k, r->sent[i]);
  atomic_store(&r->idle, true);
  return st;
}

static hf_status keep_hashes(hf_call *c, void *arg) {
  (void)c;
  hf_hub_hashes_flush(((struct run *)arg)->k->hashes);
  return HF_OK;
}

static hf_status commit_join(struct run *r) {
  hf_status st = r->committing ? hf_host()->jobs_join(r->committing) : HF_OK;
  r->committing = NULL;
  return st;
}

/* Begins when the one before has ended; the caller's operations go over to it. */
static hf_status commit_start(struct run *r, uint32_t count) {
  TRY(commit_join(r));
  memcpy(r->sent, r->ops, count * sizeof *r->ops);
  r->sent_count = count;
  TRY(hf_host()->jobs_open(r->k->hub->call, 3, &r->committing));
  atomic_store(&r->idle, false);
  TRY(hf_host()->spawn(r->committing, commit_run, r));
  return hf_host()->spawn(r->committing, keep_hashes, r);
}

/* ---- groups of large files ----------------------------------------------------------------------------------------------------- */

static hf_status group_run(hf_call *c, void *arg) {
  struct group *g = arg;
  hf_status st = hf_hub_lfs_send(g->run->k, c, g->ops, g->count, g->first);
  atomic_store(&g->ended, true);
  return st;
}

static hf_status group_join(struct group *g) {
  hf_status st = g->jobs ? hf_host()->jobs_join(g->jobs) : HF_OK;
  g->jobs = NULL;
  g->count = 0;
  g->bytes = 0;
  return st;
}

/* The group that collects starts; the other one collects next, when it has ended. */
static hf_status group_start(struct run *r) {
  struct group *g = &r->groups[r->filling];
  if (!g->count) return HF_OK;
  TRY(hf_host()->jobs_open(r->k->hub->call, 2, &g->jobs));
  atomic_store(&g->ended, false);
  hf_status st = hf_host()->spawn(g->jobs, group_run, g);
  r->filling = (r->filling + 1) % GROUPS;
  TRY(st);
  return group_join(&r->groups[r->filling]);
}

static hf_status group_add(struct run *r, struct hf_hub_op *op) {
  struct group *g = &r->groups[r->filling];
  if (!g->count) g->first = r->large;
  g->ops[g->count++] = op;
  if (!(op->flags & HF_OP_IGNORED)) g->bytes += op->stamp.size;
  r->large++;
  const struct group *other = &r->groups[(r->filling + 1) % GROUPS];
  bool idle = !other->jobs || atomic_load(&other->ended);
  bool full = g->count == GROUP_FILES || g->bytes >= GROUP_BYTES;
  return full || (idle && g->count % HF_WINDOW == 0) ? group_start(r) : HF_OK;
}

static hf_status give_up(hf_call *c, void *arg) {
  (void)c, (void)arg;
  return HF_ECANCELED;
}

/* Ends what runs, after something else has failed. */
static void stop(struct run *r) {
  if (r->committing) hf_host()->spawn(r->committing, give_up, NULL);
  for (uint32_t i = 0; i < GROUPS; i++)
    if (r->groups[i].jobs) hf_host()->spawn(r->groups[i].jobs, give_up, NULL);
  for (uint32_t i = 0; i < GROUPS; i++) group_join(&r->groups[i]);
  commit_join(r);
}

static hf_status groups_finish(struct run *r) {
  TRY(group_start(r));
  for (uint32_t i = 0; i < GROUPS; i++) TRY(group_join(&r->groups[i]));
  return HF_OK;
}

/* ---- collecting ------------------------------------------------------------------------------------------------------------------ */

static int by_place(const void *a, const void *b) {
  const struct hf_hub_op *x = *(struct hf_hub_op *const *)a, *y = *(struct hf_hub_op *const *)b;
  return x < y ? -1 : x > y;
}

static hf_status flush(struct run *r) {
  uint32_t n = 0;
  TRY(groups_finish(r));
  for (uint32_t i = 0; i < r->count; i++) {
    struct hf_hub_op *op = r->ops[i];
    if (hf_hub_op_unchanged(op)) op->flags |= HF_OP_UNCHANGED;
    if (op->kind == HF_OP_COPY && op->copy->was && op->copy->is && !strcmp(op->copy->was, op->copy->is) &&
        !(op->flags & HF_OP_DELETED_TOO))
      op->flags |= HF_OP_UNCHANGED;
    bool unchanged = op->flags & HF_OP_UNCHANGED;
    r->left_out += unchanged;
    r->ignored += op->kind == HF_OP_ADD && (op->flags & HF_OP_IGNORED) && !unchanged;
    if (!is_left_out(op) && !unchanged)
      r->ops[n++] = op;
    else
      hf_hub_op_forget(r->k, op);
  }
  r->count = 0;
  r->regular = 0;
  if (n) qsort(r->ops, n, sizeof *r->ops, by_place);
  if (n && r->ignored)
    hf_hub_log(r->k->hub, detail(r), "Skipped %u file(s) in commit (ignored by gitignore file).", r->ignored);
  if (n) r->ignored = 0;
  return n && !r->k->only_send ? commit_start(r, n) : HF_OK;
}

/* For a commit: as many as came while the one before was being made, within limits. */
static bool is_enough(const struct run *r) {
  uint32_t most = atomic_load(&r->files_most);
  if (!r->k->split) return false;
  if (r->count >= most || r->regular >= REGULAR_BYTES) return true;
  uint32_t least = most < FILES_FIRST ? most : FILES_FIRST;
  bool held = atomic_load(&r->near) && r->regular >= HELD_BYTES;
  return r->count >= least && (held || atomic_load(&r->idle));
}

static hf_status collect(struct run *r, struct hf_hub_op *op) {
  r->ops[r->count++] = op;
  if (op->kind == HF_OP_ADD && op->mode == HF_MODE_LFS) return group_add(r, op);
  if (op->kind == HF_OP_ADD && !(op->flags & HF_OP_IGNORED)) r->regular += op->stamp.size;
  return HF_OK;
}

/* Files that are read and asked about together, while the next ones are and those before are collected. */
struct ahead {
  struct hf_hub_commit *k;
  struct hf_hub_op *ops[HF_WINDOW];
  uint32_t count;
  hf_jobs *jobs; /* NULL: not running */
};

static hf_status ask(hf_call *c, void *arg) {
  struct ahead *a = arg;
  TRY(hf_hub_hash_begin(a->k, c, a->ops, a->count));
  TRY(hf_hub_preupload(a->k, c, a->ops, a->count));
  uint32_t regular = 0;
  struct hf_hub_op *rest[HF_WINDOW];
  for (uint32_t i = 0; i < a->count; i++) {
    if (!(a->ops[i]->flags & HF_OP_WHOLE) || (a->ops[i]->flags & HF_OP_IGNORED)) hf_hub_op_forget(a->k, a->ops[i]);
    if (a->ops[i]->mode == HF_MODE_REGULAR) rest[regular++] = a->ops[i];
  }
  return hf_hub_hash_rest(a->k, c, rest, regular);
}

/* The next additions that must be asked about, from *at on; false: there are none. */
static bool next_window(struct hf_hub_commit *k, uint32_t *at, struct ahead *a) {
  a->k = k;
  a->count = 0;
  for (; *at < k->ops.count && a->count < HF_WINDOW; ++*at) {
    struct hf_hub_op *op = &k->ops.rows[*at];
    if (op->kind == HF_OP_ADD && !(op->flags & HF_OP_UNCHANGED)) a->ops[a->count++] = op;
  }
  return a->count > 0;
}

static hf_status ask_join(struct ahead *a) {
  hf_status st = a->jobs ? hf_host()->jobs_join(a->jobs) : HF_OK;
  a->jobs = NULL;
  return st;
}

/* Questions are asked side by side; the answers are taken in the order of the files. */
static hf_status take_answers(struct run *r, struct ahead *windows) {
  uint32_t at = 0, asked = 0, taken = 0;
  for (;;) {
    for (; asked - taken < WINDOWS; asked++) {
      struct ahead *a = &windows[asked % WINDOWS];
      if (!next_window(r->k, &at, a)) break;
      TRY(hf_host()->jobs_open(r->k->hub->call, 2, &a->jobs));
      TRY(hf_host()->spawn(a->jobs, ask, a));
    }
    if (taken == asked) return HF_OK;
    struct ahead *a = &windows[taken++ % WINDOWS];
    TRY(ask_join(a));
    for (uint32_t i = 0; i < a->count; i++) {
      TRY(collect(r, a->ops[i]));
      if (is_enough(r)) TRY(flush(r));
    }
  }
}

static hf_status additions(struct run *r) {
  struct ahead *windows = calloc(WINDOWS, sizeof *windows);
  if (!windows) return no_memory(r->k->hub->call);
  hf_status st = take_answers(r, windows);
  for (uint32_t i = 0; i < WINDOWS; i++)
    if (st != HF_OK && windows[i].jobs) hf_host()->spawn(windows[i].jobs, give_up, NULL);
  for (uint32_t i = 0; i < WINDOWS; i++) {
    hf_status ended = ask_join(&windows[i]);
    if (st == HF_OK) st = ended;
  }
  free(windows);
  return st;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------------- */

static hf_status read_special(struct hf_hub_commit *k) {
  static const struct {
    const char *path;
    size_t most;
  } texts[] = {{"README.md", 16 << 20}, {".gitignore", 4 << 20}};
  for (uint32_t i = 0; i < k->ops.count; i++) {
    struct hf_hub_op *op = &k->ops.rows[i];
    const char *text;
    size_t len;
    if (op->kind != HF_OP_ADD) continue;
    if (!k->card_checked && !strcmp(op->path, texts[0].path)) {
      TRY(hf_hub_op_text(k->hub->call, op, texts[0].most, &text, &len));
      TRY(hf_hub_check_card(k->hub, k->repo.type, text, len));
      k->card_checked = true;
    }
    if (!k->gitignore && !strcmp(op->path, texts[1].path)) {
      TRY(hf_hub_op_text(k->hub->call, op, texts[1].most, &text, &len));
      k->gitignore = text;
    }
  }
  return HF_OK;
}

static hf_status nothing_to_do(struct run *r) {
  struct hf_hub_commit *k = r->k;
  hf_call *c = k->hub->call;
  json_t *raw;
  hf_hub_log(k->hub, HF_LOG_WARNING,
             "No files have been modified since last commit. Skipping to prevent empty commit.");
  TRY(hf_hub_info(k->hub, &k->repo, k->revision, NULL, &raw));
  const char *sha = hf_hub_get(raw, "sha");
  k->oid = sha ? hf_host()->intern(c, sha, SIZE_MAX) : "None";
  json_decref(raw);
  k->url = k->oid ? hf_hub_commit_url(c, k, k->oid) : NULL;
  return k->url ? HF_OK : HF_ENOMEM;
}

static uint32_t count_kind(const struct hf_hub_commit *k, uint8_t kind) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < k->ops.count; i++) n += k->ops.rows[i].kind == kind;
  return n;
}

/* "Found 12,345 files to upload" */
static void say_found(struct hf_hub_commit *k, uint32_t count) {
  char text[32];
  if (count < 1000)
    snprintf(text, sizeof text, "%u", count);
  else if (count < 1000000)
    snprintf(text, sizeof text, "%u,%03u", count / 1000, count % 1000);
  else
    snprintf(text, sizeof text, "%u,%03u,%03u", count / 1000000, count / 1000 % 1000, count % 1000);
  hf_hub_log(k->hub, HF_LOG_INFO, "Found %s files to upload", text);
}

static hf_status run_all(struct run *r) {
  struct hf_hub_commit *k = r->k;
  uint32_t adds = count_kind(k, HF_OP_ADD), known = adds ? hf_hub_hash_recall(k) : 0;
  TRY(read_special(k));
  if (k->by_xet && k->split) say_found(k, adds);
  if (adds > HF_WINDOW && known >= adds / 2) TRY(hf_hub_compare_tree(k));
  for (uint32_t i = 0; i < k->ops.count; i++) {
    struct hf_hub_op *op = &k->ops.rows[i];
    r->left_out += op->kind == HF_OP_ADD && (op->flags & HF_OP_UNCHANGED);
    if (op->kind == HF_OP_DELETE_FILE || op->kind == HF_OP_DELETE_FOLDER) r->ops[r->count++] = op;
  }
  TRY(additions(r));
  if (count_kind(k, HF_OP_COPY)) TRY(hf_hub_copies(k));
  for (uint32_t i = 0; i < k->ops.count; i++)
    if (k->ops.rows[i].kind == HF_OP_COPY) r->ops[r->count++] = &k->ops.rows[i];
  TRY(flush(r));
  TRY(commit_join(r));
  hf_hub_targets_forget(k->hub, &k->repo, &k->ops);
  if (k->only_send) return HF_OK;
  if (r->left_out) hf_hub_log(k->hub, detail(r), "Removing %u file(s) from commit that have not changed.", r->left_out);
  if (r->commits > 1) hf_hub_log(k->hub, HF_LOG_INFO, "Upload completed in %u commits.", r->commits);
  return r->commits ? HF_OK : nothing_to_do(r);
}

/* The reference's words behind some errors. */
static hf_status explain(struct hf_hub_commit *k, hf_status st) {
  hf_call *c = k->hub->call;
  const struct hf_error *e = hf_host()->error(c);
  const char *more = NULL;
  struct hf_error copy;
  if (hf_hub_error_is(e, "RepositoryNotFoundError"))
    more =
        "\nNote: Creating a commit assumes that the repo already exists on the Huggingface Hub. Please use "
        "`create_repo` if it's not the case.";
  if (hf_hub_error_is(e, "RemoteEntryNotFoundError") && e->message &&
      strstr(e->message, "A file with this name doesn't exist") &&
      count_kind(k, HF_OP_DELETE_FILE) + count_kind(k, HF_OP_DELETE_FOLDER))
    more =
        "\nMake sure to differentiate file and folder paths in delete operations with a trailing '/' or using "
        "`is_folder=True/False`.";
  if (!more || hf_hub_error_keep(c, &copy) != HF_OK) return st;
  copy.message = hf_hub_text(c, "%s%s", copy.message, more);
  hf_host()->clear(c);
  return copy.message ? hf_host()->fail(c, &copy) : HF_ENOMEM;
}

void hf_hub_commit_begin(struct hf_hub_commit *k) {
  if (!k->hashes) k->hashes = hf_hub_hashes_open(k->hub->call);
  if (!k->held) k->held = hf_hub_held_open();
}

void hf_hub_commit_end(struct hf_hub_commit *k) {
  for (uint32_t i = 0; i < k->ops.count; i++)
    if (k->ops.rows[i].flags & HF_OP_WHOLE) hf_hub_op_forget(k, &k->ops.rows[i]);
  hf_hub_held_close(k->held);
  hf_hub_hashes_close(k->hashes);
  k->held = NULL;
  k->hashes = NULL;
}

hf_status hf_hub_commit_run(struct hf_hub_commit *k) {
  k->by_xet = hf_hub_uses_xet(k->hub->call);
  TRY(hf_hub_ops_judge(k));
  struct run *r = calloc(1, sizeof *r);
  if (!r) return no_memory(k->hub->call);
  *r = (struct run){.k = k, .revision = k->revision, .files_most = FILES_FIRST, .idle = true, .near = true};
  for (uint32_t i = 0; i < GROUPS; i++) r->groups[i].run = r;
  r->ops = calloc(k->ops.count + 1, sizeof *r->ops);
  r->sent = calloc(k->ops.count + 1, sizeof *r->sent);
  hf_status st = r->ops && r->sent ? HF_OK : no_memory(k->hub->call);
  if (st == HF_OK) {
    hf_hub_commit_begin(k);
    st = run_all(r);
    if (st != HF_OK) stop(r);
    if (st != HF_OK && k->pr_url && k->split)
      hf_hub_log(k->hub, HF_LOG_WARNING,
                 "Upload to pull request %s did not complete. To resume into the same PR, re-run with "
                 "`revision=\"%s\"` (without `create_pr=True`). Re-running with `create_pr=True` would open a new pull "
                 "request.",
                 k->pr_url, r->revision);
    if (st != HF_OK) st = explain(k, st);
    hf_hub_commit_end(k);
  }
  free(r->ops);
  free(r->sent);
  free(r);
  return st;
}
