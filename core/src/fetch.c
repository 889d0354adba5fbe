/* fetch.c - the dispatcher: takes a batch of files, lets workers run each through resolve, lease, adopt, tiers, adapters and
 * seal, and hands them to the groups of publish.c. Files of equal content in one batch are fetched once.
 * The first failure stops the rest; what was complete by then is published. */

#include "fetch.h"

enum { SPACE_ASKED_FROM = 1 << 20 };

static void emit(hf_call *c, struct hf_batch *b, uint32_t i, uint32_t type, bool whole) {
  struct hf_file_job *j = &b->jobs[i];
  uint64_t size = j->tr.size == HF_SIZE_UNKNOWN ? 0 : j->tr.size;
  struct hf_event e = {
      .struct_size = sizeof e, .type = type, .item = i, .done = whole ? size : 0, .total = size, .text = j->tr.path};
  hf_call_emit(c, &e);
}

/* ---- the queue: files in order, followers as soon as they may ---- */

static bool take(struct hf_batch *b, uint32_t *i) {
  bool any = false;
  pthread_mutex_lock(&b->lock);
  if (b->failed == HF_OK && b->ready) {
    *i = b->ready - 1;
    b->ready = b->jobs[*i].next_follower;
    any = true;
  } else if (b->failed == HF_OK && b->next < b->f->count) {
    *i = b->next++;
    any = true;
  }
  if (any) b->jobs[*i].state = HF_FILE_RUNNING;
  pthread_mutex_unlock(&b->lock);
  return any;
}

static uint32_t *bucket(struct hf_batch *b, const char *etag) {
  return &b->buckets[hf_sum_of(0, etag, strlen(etag)) & b->bucket_mask];
}

/* True: this file fetches its content; false: it waits for another one that does. */
static bool lead(struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  if (!j->tr.etag || j->leads) return true;
  uint32_t *head = bucket(b, j->tr.etag), k;
  pthread_mutex_lock(&b->lock);
  for (k = *head; k; k = b->jobs[k - 1].next_in_bucket)
    if (strcmp(b->jobs[k - 1].tr.etag, j->tr.etag) == 0) break;
  if (k) {
    j->state = HF_FILE_WAITING;
    j->follower = true;
    j->next_follower = b->jobs[k - 1].first_follower;
    b->jobs[k - 1].first_follower = i + 1;
  } else {
    j->leads = true;
    j->next_in_bucket = *head;
    *head = i + 1;
  }
  pthread_mutex_unlock(&b->lock);
  return k == 0;
}

static void release_followers(struct hf_batch *b, uint32_t i) { /* under lock */
  struct hf_file_job *j = &b->jobs[i];
  if (!j->leads) return;
  uint32_t *at = bucket(b, j->tr.etag);
  while (*at != i + 1) at = &b->jobs[*at - 1].next_in_bucket;
  *at = j->next_in_bucket;
  j->leads = false;
  while (j->first_follower) {
    uint32_t k = j->first_follower;
    j->first_follower = b->jobs[k - 1].next_follower;
    b->jobs[k - 1].next_follower = b->ready;
    b->ready = k;
  }
}

hf_status hf_batch_end(hf_call *c, struct hf_batch *b, uint32_t i, hf_status st, const struct hf_st_file *file) {
  hf_status answer = HF_OK;
  hf_batch_unlease(b, i);
  if (st == HF_OK) emit(c, b, i, HF_EV_END, true);
  if (b->f->done) {
    pthread_mutex_lock(&b->telling);
    answer = b->f->done(c, b->f->arg, &b->f->files[i], i, st, file);
    pthread_mutex_unlock(&b->telling);
  }
  pthread_mutex_lock(&b->lock);
  b->jobs[i].state = HF_FILE_ENDED;
  release_followers(b, i);
  if (answer != HF_OK && b->failed == HF_OK) b->failed = answer;
  pthread_mutex_unlock(&b->lock);
  return answer;
}

/* ---- free space ---- */

static hf_status no_space(hf_call *c, struct hf_batch *b, uint64_t need, uint64_t have) {
  return hf_call_failf(
      c, HF_ENOSPACE,
      "not enough free disk space to store %u file%s of %s: %llu bytes needed, %llu available; free some, or "
      "choose another folder",
      b->f->count, b->f->count == 1 ? "" : "s", b->f->repo.id, (unsigned long long)need, (unsigned long long)have);
}

static struct hf_ingest ingest_of(const struct hf_batch *b, uint32_t i) {
  const struct hf_fetch_file *file = &b->f->files[i];
  uint32_t flags = b->jobs[i].follower ? file->flags & ~(uint32_t)HF_IN_FORCE : file->flags;
  return (struct hf_ingest){.struct_size = sizeof(struct hf_ingest),
                            .flags = flags,
                            .name = {b->f->repo, b->f->commit, file->path},
                            .etag = file->etag,
                            .xet_hash = file->xet_hash,
                            .digest = file->digest,
                            .size = file->size};
}

/* Bytes that file i will take: nothing when the store can adopt it, or began it earlier and so has its room. */
static uint64_t will_take(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_ingest in = ingest_of(b, i);
  struct hf_st_file file;
  struct hf_sink *raw = NULL;
  if (!(in.flags & HF_IN_FORCE) && hf_store_adopt(c, b->store, &in, &file) == HF_OK) return 0;
  if (hf_store_sink(c, b->store, &in, &raw) != HF_OK) return in.size;
  bool begun = raw->caps & HF_IO_RESUMES;
  struct hf_guard g;
  hf_store_in(&g, NULL, b->store, NULL);
  raw->abort(raw, begun);
  hf_guard_out(&g, NULL);
  return begun ? 0 : in.size;
}

static hf_status check_space(hf_call *c, struct hf_batch *b) {
  uint64_t sum = 0, have = UINT64_MAX, need = 0;
  for (uint32_t i = 0; i < b->f->count; i++) {
    uint64_t size = b->f->files[i].size;
    if (size == HF_SIZE_UNKNOWN) continue;
    sum = size > UINT64_MAX - sum ? UINT64_MAX : sum + size;
  }
  hf_call *own = sum ? hf_call_branch(c) : NULL; /* a store that cannot tell is no reason to stop */
  if (!own) return HF_OK;
  if (hf_store_space(own, b->store, &have, NULL) == HF_OK && sum > have)
    for (uint32_t i = 0; i < b->f->count && need <= have; i++)
      if (b->f->files[i].size != HF_SIZE_UNKNOWN) {
        hf_call_clear(own);
        uint64_t takes = will_take(own, b, i);
        need = takes > UINT64_MAX - need ? UINT64_MAX : need + takes;
      }
  hf_call_branch_end(own, false);
  return need > have ? no_space(c, b, sum, have) : HF_OK;
}

static hf_status check_space_of(hf_call *c, struct hf_batch *b, uint32_t i, uint64_t known_before) {
  uint64_t have, size = b->f->files[i].size;
  if (known_before != HF_SIZE_UNKNOWN || size == HF_SIZE_UNKNOWN || size < SPACE_ASKED_FROM) return HF_OK;
  hf_call *own = hf_call_branch(c);
  if (!own) return HF_OK;
  bool full = hf_store_space(own, b->store, &have, NULL) == HF_OK && size > have && will_take(own, b, i) > have;
  hf_call_branch_end(own, false);
  return full ? no_space(c, b, size, have) : HF_OK;
}

/* ---- one file ---- */

static hf_status resolve(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_fetch_file *file = &b->f->files[i];
  struct hf_file_job *j = &b->jobs[i];
  if (b->f->resolve && !j->follower) {
    uint64_t before = file->size;
    TRY(b->f->resolve(c, b->f->arg, file, i));
    TRY(check_space_of(c, b, i, before));
  }
  if (b->f->resolve) {
    pthread_mutex_lock(&b->adapters.choosing); /* adapters look at the whole batch while they are chosen */
    j->tr.path = file->path;
    j->tr.url = file->url;
    j->tr.etag = file->etag;
    j->tr.xet_hash = file->xet_hash;
    j->tr.size = file->size;
    j->tr.digest = file->digest;
    pthread_mutex_unlock(&b->adapters.choosing);
  }
  return hf_path_check(c, file->path);
}

static hf_status adopt(hf_call *c, struct hf_batch *b, uint32_t i, bool *have, struct hf_st_file *file) {
  struct hf_ingest in = ingest_of(b, i);
  *have = false;
  if (in.flags & HF_IN_FORCE) return HF_OK;
  hf_status st = hf_store_adopt(c, b->store, &in, file);
  if (st == HF_ENOTFOUND || st == HF_ENOSYS) {
    hf_call_clear(c);
    return HF_OK;
  }
  *have = st == HF_OK;
  return st;
}

/* Opens, fills and seals the sink; a damaged file is fetched once more from the start, by another adapter if there is one. */
static hf_status receive(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  uint32_t adapter = HF_NO_ADAPTER;
  for (uint32_t attempt = 0;; attempt++) {
    struct hf_sink_opts o = {.what = ingest_of(b, i), .item = i, .store = b->store};
    if (b->f->struct_size >= offsetof(struct hf_fetch, only) + sizeof b->f->only) o.only = b->f->only;
    struct hf_sink *raw;
    TRY(hf_store_sink(c, b->store, &o.what, &raw));
    TRY(hf_sink_wrap(c, raw, &o, &j->sink));
    j->tr.sink = j->sink;
    hf_status st = hf_batch_fill(c, b, i, attempt == 0, &adapter);
    struct hf_sink *sink = j->sink;
    j->sink = j->tr.sink = NULL;
    if (st != HF_OK) {
      hf_sink_abort(sink, st != HF_EDIGEST);
      if (st != HF_EDIGEST || attempt > 0 || hf_call_check(c) != HF_OK) return st;
      hf_call_clear(c); /* an adapter that checks by itself found it out earlier */
      hf_call_log(c, HF_LOG_WARNING, "%s arrived damaged and is fetched once more", j->tr.path);
      continue;
    }
    hf_call *own = hf_call_branch(c);
    if (!own) {
      hf_sink_abort(sink, true);
      return hf_call_failf(c, HF_ENOMEM, "no memory to verify %s", j->tr.path);
    }
    pthread_mutex_lock(&b->adapters.choosing); /* as in resolve() */
    if (sink->size != HF_SIZE_UNKNOWN) j->tr.size = sink->size;
    pthread_mutex_unlock(&b->adapters.choosing);
    st = hf_sink_seal(own, sink, &j->seal);
    bool again = st == HF_EDIGEST && attempt == 0;
    hf_call_branch_end(own, st != HF_OK && !again);
    if (!again) return st;
    hf_call_log(c, HF_LOG_WARNING, "%s arrived damaged and is fetched once more", j->tr.path);
  }
}

static hf_status fetch_file(hf_call *c, struct hf_batch *b, uint32_t i, bool *ended) {
  struct hf_st_file file;
  bool have;
  *ended = false;
  TRY(hf_call_check(c));
  TRY(resolve(c, b, i));
  if (!lead(b, i)) return HF_OK;
  emit(c, b, i, HF_EV_BEGIN, false);
  TRY(adopt(c, b, i, &have, &file));
  if (!have) {
    TRY(hf_batch_lease(c, b, i));
    if (b->jobs[i].lease) TRY(adopt(c, b, i, &have, &file));
  }
  if (have) {
    *ended = true;
    return hf_batch_end(c, b, i, HF_OK, &file);
  }
  hf_status st = receive(c, b, i);
  hf_batch_no_bases(b, i);
  TRY(st);
  *ended = true;
  return hf_group_add(c, b, i);
}

static hf_status work(hf_call *c, void *arg, uint32_t worker) {
  struct hf_batch *b = arg;
  uint32_t i;
  (void)worker;
  for (;;) {
    if (!take(b, &i)) {
      pthread_mutex_lock(&b->lock);
      bool waiting = b->group_count > 0 && b->failed == HF_OK;
      hf_status failed = b->failed;
      pthread_mutex_unlock(&b->lock);
      if (!waiting) return failed;
      TRY(hf_group_flush(c, b, false));
      continue;
    }
    bool ended;
    hf_status st = fetch_file(c, b, i, &ended);
    if (st != HF_OK && !ended) hf_batch_end(c, b, i, st, NULL);
    TRY(st);
  }
}

/* ---- the batch ---- */

static hf_status refresh(hf_call *c, const struct hf_tr_batch *tr, struct hf_tr_file *file, const char **url) {
  struct hf_batch *b = tr->host;
  uint32_t i = (uint32_t)((struct hf_file_job *)file->host - b->jobs);
  *url = NULL;
  TRY(b->f->refresh(c, b->f->arg, &b->f->files[i], i));
  *url = b->f->files[i].url;
  return *url ? HF_OK : hf_call_failf(c, HF_ENOTFOUND, "%s: there is no fresh address for it", file->path);
}

static void batch_free(struct hf_batch *b) {
  hf_minder_close(&b->minder);
  hf_adapters_close(&b->adapters);
  hf_mem_free(b->jobs);
  hf_mem_free(b->files);
  hf_mem_free(b->buckets);
  pthread_mutex_destroy(&b->lock);
  pthread_mutex_destroy(&b->telling);
  hf_mem_free(b);
}

static struct hf_batch *batch_new(hf_call *c, const struct hf_fetch *f) {
  struct hf_batch *b = hf_mem_alloc(sizeof *b);
  if (!b) return NULL;
  b->f = f;
  b->store = f->store;
  b->call = c;
  pthread_mutex_init(&b->lock, NULL);
  hf_batch_minder_open(c, b);
  hf_adapters_init(&b->adapters);
  pthread_mutex_init(&b->telling, NULL);
  uint32_t buckets = 16;
  while (buckets < f->count && buckets < 1 << 20) buckets *= 2;
  b->bucket_mask = buckets - 1;
  b->buckets = hf_mem_alloc(buckets * sizeof *b->buckets);
  b->jobs = hf_mem_alloc(f->count * sizeof *b->jobs);
  b->files = hf_mem_alloc(f->count * sizeof *b->files);
  if (!b->jobs || !b->files || !b->buckets) {
    batch_free(b);
    return NULL;
  }
  for (uint32_t i = 0; i < f->count; i++) {
    const struct hf_fetch_file *file = &f->files[i];
    b->files[i] = &b->jobs[i].tr;
    b->jobs[i].tr = (struct hf_tr_file){.struct_size = sizeof(struct hf_tr_file),
                                        .path = file->path,
                                        .url = file->url,
                                        .etag = file->etag,
                                        .xet_hash = file->xet_hash,
                                        .size = file->size,
                                        .digest = file->digest,
                                        .host = &b->jobs[i]};
  }
  b->tr = (struct hf_tr_batch){.struct_size = sizeof b->tr,
                               .direction = HF_TR_DOWNLOAD,
                               .repo_type = f->repo.type,
                               .repo_id = f->repo.id,
                               .revision = f->commit,
                               .endpoint = f->endpoint,
                               .token_url = f->token_url,
                               .files = b->files,
                               .count = f->count,
                               .width = f->width,
                               .refresh = f->refresh ? refresh : NULL,
                               .host = b};
  return b;
}

/* Publishes what was complete when the rest failed; a cancelled call has no time for it. */
static void save_complete(hf_call *c, struct hf_batch *b) {
  hf_call *own = hf_call_check(c) == HF_OK ? hf_call_branch(c) : NULL;
  if (own) {
    hf_group_flush(own, b, false);
    hf_call_branch_end(own, false);
  }
  hf_group_discard(b);
}

hf_status hf_fetch(hf_call *c, const struct hf_fetch *f) {
  TRY(hf_repo_check(c, &f->repo));
  if (f->commit) TRY(hf_commit_check(c, f->commit));
  if (f->count == 0) return HF_OK;
  struct hf_batch *b = batch_new(c, f);
  if (!b) return hf_call_failf(c, HF_ENOMEM, "no memory to fetch %u files", f->count);
  uint32_t width = f->width ? f->width : (uint32_t)hf_config_int(c->rt, "HF_WORKERS", 8);
  if (width < 1 || width > 128) width = 8;
  if (width > f->count) width = f->count;
  hf_status st = check_space(c, b);
  if (st == HF_OK) st = hf_parallel(c, width, width, work, b);
  hf_batch_minder_stop(b);
  if (st == HF_OK) st = b->failed;
  if (st == HF_OK) st = hf_adapters_finish(c, &b->adapters);
  if (st != HF_OK) save_complete(c, b);
  for (uint32_t i = 0; i < f->count; i++)
    if (b->jobs[i].state != HF_FILE_ENDED) hf_batch_end(c, b, i, st != HF_OK ? HF_ECANCELED : HF_EINTERNAL, NULL);
  batch_free(b);
  return st;
}
