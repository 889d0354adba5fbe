/* send.c - the dispatcher of uploads: workers take the files in order, open their sources, and give each to an adapter; when that
 * one fails, the next goes on with the parts that are still to be sent. A target that is refused is asked for again.
 * The first failure stops the rest. Files that an adapter completes only with its whole batch end after finish(). */
#include "bytes.h"
#include "send.h"

enum { REFRESHES_MOST = 3 };

static uint32_t index_of(const struct send *b, const struct hf_tr_file *file) {
  return (uint32_t)((struct send_job *)file->host - b->jobs);
}

static void fill(struct send *b, uint32_t i) {
  const struct hf_send_file *f = &b->s->files[i];
  struct hf_tr_file *t = &b->jobs[i].tr;
  t->path = f->path;
  t->url = f->url;
  t->complete_url = f->complete_url;
  t->size = f->size;
  t->digest = f->digest;
  t->parts = f->parts;
  t->part_etags = f->etags;
  t->headers = f->headers;
}

static void emit(hf_call *c, struct send *b, uint32_t i, uint32_t type, bool whole) {
  const struct hf_send_file *f = &b->s->files[i];
  struct hf_event e = {.struct_size = sizeof e,
                       .type = type,
                       .item = b->s->first_item + i,
                       .done = whole ? f->size : 0,
                       .total = f->size,
                       .text = f->path};
  hf_call_emit(c, &e);
}

static hf_status end(hf_call *c, struct send *b, uint32_t i, hf_status st) {
  hf_status answer = HF_OK;
  if (st == HF_OK) {
    emit(c, b, i, HF_EV_BYTES, true);
    emit(c, b, i, HF_EV_END, true);
  }
  b->jobs[i].state = JOB_ENDED;
  if (st == HF_OK && b->jobs[i].tr.digest.algo == HF_DIGEST_XET) b->s->files[i].digest = b->jobs[i].tr.digest;
  if (!b->s->done) return HF_OK;
  answer = b->s->done(c, b->s->arg, &b->s->files[i], i, st);
  if (answer != HF_OK) {
    pthread_mutex_lock(&b->lock);
    if (b->failed == HF_OK) b->failed = answer;
    pthread_mutex_unlock(&b->lock);
  }
  return answer;
}

/* ---- for adapters ---- */

static hf_status part_done(hf_call *c, const struct hf_tr_batch *tr, struct hf_tr_file *file, uint32_t part,
                           const char *etag) {
  struct send *b = tr->host;
  uint32_t i = index_of(b, file);
  struct hf_send_file *f = &b->s->files[i];
  if (part >= f->parts.count || !f->etags || !etag || !*etag)
    return hf_call_failf(c, HF_EABI, "an adapter reported a part of %s that it does not have", f->path);
  const char *kept = hf_call_intern(c, etag, SIZE_MAX);
  if (!kept) return hf_call_failf(c, HF_ENOMEM, "no memory to send %s", f->path);
  atomic_fetch_add(&b->jobs[i].moved, 1);
  pthread_mutex_lock(&b->lock);
  f->etags[part] = kept;
  pthread_mutex_unlock(&b->lock);
  return b->s->part ? b->s->part(c, b->s->arg, f, i, part) : HF_OK;
}

/* ---- one file ---- */

static bool server_refused(hf_call *c, hf_status st) {
  const struct hf_error *e = hf_call_error(c);
  if (!e || st == HF_ECANCELED) return false;
  uint32_t s = e->http_status;
  return s == 400 || s == 401 || s == 403 || s == 404 || s == 409 || s == 410;
}

static hf_status run_one(hf_call *c, struct send *b, uint32_t i, struct hf_adapter *a, bool *pending) {
  struct hf_tr_file *t = &b->jobs[i].tr;
  TRY(hf_adapter_open(c, a, &b->tr));
  struct hf_guard g;
  hf_send_running(b, i, c);
  hf_guard_in(&g, c, a->mod, &a->object);
  hf_status st = a->tr->run(c, a->session, t);
  hf_guard_out(&g, c);
  hf_send_running(b, i, NULL);
  *pending = st == HF_PENDING;
  if (st > 0 && !*pending) return hf_call_failf(c, HF_EABI, "adapter %s left %s open", a->mod->m->name, t->path);
  return *pending ? HF_OK : st;
}

static const char *target_of(const struct hf_tr_file *t) {
  return t->parts.count ? ((const struct hf_tr_part *)t->parts.rows)->url : t->url;
}

static hf_status run_adapters(hf_call *c, struct send *b, uint32_t i, bool *pending, bool *refused) {
  struct hf_tr_file *t = &b->jobs[i].tr;
  *refused = false;
  for (uint32_t k = 0;; k++) {
    struct hf_adapter *a = &b->adapters.rows[k];
    hf_call *own = hf_call_branch(c);
    if (!own) return hf_call_failf(c, HF_ENOMEM, "no memory to send %s", t->path);
    hf_status st = run_one(own, b, i, a, pending);
    bool last = k + 1 == b->adapters.count;
    bool stalled = st != HF_OK && b->jobs[i].minded.stalled && hf_call_check(c) == HF_OK;
    *refused = st != HF_OK && !stalled && server_refused(own, st);
    bool on = st != HF_OK && !last && !*refused && (stalled || hf_adapter_next_may_help(own, st, target_of(t)));
    const struct hf_error *e = hf_call_error(own);
    if (on)
      hf_call_log(c, HF_LOG_INFO, "%s: adapter %s gave up (%s), %s goes on", t->path, a->mod->m->name,
                  stalled ? "nothing moved"
                  : e     ? e->message
                          : hf_status_name(st),
                  b->adapters.rows[k + 1].mod->m->name);
    hf_call_branch_end(own, !on && st != HF_OK && !stalled);
    if (on) continue;
    return stalled ? hf_call_failf(c, HF_ETIMEDOUT, "%s: nothing was sent for too long; try again later", t->path) : st;
  }
}

/* The answer of a refused target decides: another one, or the server has the file by now. */
static hf_status send_to(hf_call *c, struct send *b, uint32_t i, bool *pending) {
  for (uint32_t fresh = 0;; fresh++) {
    bool refused = false;
    hf_call *own = hf_call_branch(c);
    if (!own) return hf_call_failf(c, HF_ENOMEM, "no memory to send %s", b->s->files[i].path);
    hf_status st = run_adapters(own, b, i, pending, &refused);
    bool again = st != HF_OK && refused && b->s->refresh && fresh < REFRESHES_MOST;
    hf_call_branch_end(own, st != HF_OK && !again);
    if (!again) return st;
    st = b->s->refresh(c, b->s->arg, &b->s->files[i], i);
    if (st == HF_PENDING) return HF_OK;
    TRY(st);
    pthread_mutex_lock(&b->adapters.choosing);
    fill(b, i);
    pthread_mutex_unlock(&b->adapters.choosing);
  }
}

struct learning {
  struct send *b;
  uint32_t i;
};

/* All of a file was read: adapter and caller learn its digest. */
static hf_status on_scanned(hf_call *c, void *arg, const struct hf_scan *scan) {
  struct learning *l = arg;
  struct hf_send_file *f = &l->b->s->files[l->i];
  f->digest = l->b->jobs[l->i].tr.digest = scan->sha256;
  return l->b->s->scanned(c, l->b->s->arg, f, l->i, scan);
}

static bool wants_scan(const struct hf_send *s, const struct hf_send_file *f) {
  return s->struct_size >= offsetof(struct hf_send, scanned) + sizeof s->scanned && s->scanned &&
         f->digest.algo == HF_DIGEST_NONE;
}

static hf_status send_file(hf_call *c, struct send *b, uint32_t i, bool *pending) {
  struct learning learning = {b, i};
  struct hf_tr_file *t = &b->jobs[i].tr;
  struct hf_source *source = NULL;
  TRY(hf_call_check(c));
  emit(c, b, i, HF_EV_BEGIN, false);
  TRY(hf_adapters_choose(c, &b->adapters, &b->tr, b->s->adapters));
  TRY(b->s->open(c, b->s->arg, &b->s->files[i], i, &source));
  if (wants_scan(b->s, &b->s->files[i]))
    TRY(hf_source_tally(c, source, b->s->first_item + i, on_scanned, &learning, &source));
  t->source = hf_send_count(&b->jobs[i], source);
  hf_status st = send_to(c, b, i, pending);
  t->source = NULL;
  hf_send_uncount(&b->jobs[i]);
  return st;
}

static bool take(struct send *b, uint32_t *i) {
  pthread_mutex_lock(&b->lock);
  bool any = b->failed == HF_OK && b->next < b->s->count;
  if (any) *i = b->next++;
  pthread_mutex_unlock(&b->lock);
  return any;
}

static hf_status work(hf_call *c, void *arg, uint32_t worker) {
  struct send *b = arg;
  uint32_t i;
  (void)worker;
  while (take(b, &i)) {
    bool pending = false;
    hf_status st = send_file(c, b, i, &pending);
    if (pending) {
      b->jobs[i].state = JOB_PENDING;
      continue;
    }
    hf_status answer = end(c, b, i, st);
    TRY(st);
    TRY(answer);
  }
  return HF_OK;
}

/* ---- the batch ---- */

static void send_free(struct send *b) {
  hf_minder_close(&b->minder);
  hf_adapters_close(&b->adapters);
  hf_mem_free(b->jobs);
  hf_mem_free(b->files);
  pthread_mutex_destroy(&b->lock);
}

static bool prepare(struct send *b) {
  const struct hf_send *s = b->s;
  b->jobs = hf_mem_alloc(s->count * sizeof *b->jobs);
  b->files = hf_mem_alloc(s->count * sizeof *b->files);
  if (!b->jobs || !b->files) return false;
  for (uint32_t i = 0; i < s->count; i++) {
    b->jobs[i].tr = (struct hf_tr_file){.struct_size = sizeof(struct hf_tr_file), .host = &b->jobs[i]};
    b->files[i] = &b->jobs[i].tr;
    fill(b, i);
  }
  b->tr = (struct hf_tr_batch){.struct_size = sizeof b->tr,
                               .direction = HF_TR_UPLOAD,
                               .repo_type = s->repo.type,
                               .repo_id = s->repo.id,
                               .revision = s->revision,
                               .endpoint = s->endpoint,
                               .token_url = s->token_url,
                               .files = b->files,
                               .count = s->count,
                               .width = s->width,
                               .host = b,
                               .part_done = part_done};
  return true;
}

hf_status hf_send(hf_call *c, const struct hf_send *s) {
  struct send b = {.s = s};
  if (s->count == 0) return HF_OK;
  pthread_mutex_init(&b.lock, NULL);
  hf_send_minder_open(c, &b);
  hf_adapters_init(&b.adapters);
  hf_status st = prepare(&b) ? HF_OK : hf_call_failf(c, HF_ENOMEM, "no memory to send %u files", s->count);
  uint32_t width = s->width ? s->width : (uint32_t)hf_config_int(c->rt, "HF_WORKERS", 8);
  if (width < 1 || width > 128) width = 8;
  if (width > s->count) width = s->count;
  if (st == HF_OK) st = hf_parallel(c, width, width, work, &b);
  if (st == HF_OK) st = b.failed;
  if (st == HF_OK) st = hf_adapters_finish(c, &b.adapters);
  for (uint32_t i = 0; b.jobs && i < s->count; i++) {
    if (b.jobs[i].state == JOB_ENDED) continue;
    bool whole = st == HF_OK && b.jobs[i].state == JOB_PENDING;
    hf_status answer = end(c, &b, i, whole ? HF_OK : st != HF_OK ? HF_ECANCELED : HF_EINTERNAL);
    if (st == HF_OK) st = answer;
  }
  send_free(&b);
  return st;
}
