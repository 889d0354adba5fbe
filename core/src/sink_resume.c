/* sink_resume.c - the block journal of a wrapped sink: records each block once it is full, and on resume holds exactly those
 * blocks whose bytes on disk still have their checksum; the digest frontier is brought forward in the same pass.
 * The journal is an optimisation: when it cannot be kept, the download goes on without one. */
#include "sink.h"

enum { NOTE_READ = HF_JOURNAL_RECORD * 2048, RUN_BYTES = 16 << 20, RECORDS_PER_BLOCK = 8, LEAF_LEAST = 4096 };

static uint32_t block_len(const struct hf_wrap *w, uint32_t index) {
  uint64_t start = (uint64_t)index * w->block;
  return w->s.size - start < w->block ? (uint32_t)(w->s.size - start) : w->block;
}

static hf_status note_write(hf_call *c, struct hf_wrap *w, const void *data, size_t len, uint64_t at) {
  struct hf_guard g;
  hf_store_in(&g, c, w->store, &w->object);
  hf_status st = w->f.note_write(c, w->raw, data, len, at);
  hf_guard_out(&g, c);
  return st;
}

static hf_status note_read(hf_call *c, struct hf_wrap *w, void *data, size_t len, uint64_t at, size_t *got) {
  struct hf_guard g;
  *got = 0;
  hf_store_in(&g, c, w->store, &w->object);
  hf_status st = w->f.note_read(c, w->raw, data, len, at, got);
  hf_guard_out(&g, c);
  if (*got > len) *got = 0;
  return st;
}

void hf_journal_append(hf_call *c, struct hf_wrap *w, const void *data, size_t len) {
  uint8_t out[HF_JOURNAL_HEAD + sizeof w->leaf_notes + HF_JOURNAL_RECORD];
  size_t n = 0;
  pthread_mutex_lock(&w->lock);
  bool off = w->note_broken;
  uint64_t at = w->note_at;
  if (at == 0) {
    memcpy(out, w->head, HF_JOURNAL_HEAD);
    n = HF_JOURNAL_HEAD;
  }
  memcpy(out + n, w->leaf_notes, w->leaf_fill);
  n += w->leaf_fill;
  w->leaf_fill = 0;
  if (len) memcpy(out + n, data, len);
  n += len;
  w->note_at += n;
  pthread_mutex_unlock(&w->lock);
  if (off || !n) return;
  if (note_write(c, w, out, n, at) == HF_OK) return;
  hf_call_clear(c); /* not a failure of the download */
  pthread_mutex_lock(&w->lock);
  w->note_broken = true;
  pthread_mutex_unlock(&w->lock);
  hf_call_log(c, HF_LOG_DEBUG, "%s: the journal cannot be written; an interruption will cost more", w->what.name.path);
}

static void record(hf_call *c, struct hf_wrap *w, uint32_t index, uint32_t len, uint64_t sum) {
  uint8_t out[HF_JOURNAL_RECORD];
  hf_journal_record(out, w->salt, index, len, sum);
  hf_journal_append(c, w, out, sizeof out);
}

/* The block was not summed as it came: sum what lies in the store. */
static void record_back(hf_call *c, struct hf_wrap *w, uint32_t index) {
  uint32_t len = block_len(w, index);
  size_t got = 0;
  uint8_t *buf = w->reads_back ? hf_mem_alloc(len) : NULL;
  hf_call *own = buf ? hf_call_branch(c) : NULL;
  if (own && hf_raw_read(own, w, buf, len, (uint64_t)index * w->block, &got) == HF_OK && got == len)
    record(c, w, index, len, hf_sum_of(w->salt, buf, len));
  if (own) hf_call_branch_end(own, false);
  hf_mem_free(buf);
}

static struct hf_open_block *open_find(struct hf_wrap *w, uint32_t index) {
  for (unsigned i = 0; i < HF_OPEN_BLOCKS; i++)
    if (w->open[i].used && w->open[i].index == index) return &w->open[i];
  return NULL;
}

static struct hf_open_block *open_make(struct hf_wrap *w, uint32_t index) {
  struct hf_open_block *best = NULL;
  for (unsigned i = 0; i < HF_OPEN_BLOCKS; i++) {
    struct hf_open_block *b = &w->open[i];
    if (b->busy) continue;
    if (!b->used) {
      best = b;
      break;
    }
    if (!best || b->age < best->age) best = b;
  }
  if (!best) return NULL;
  *best = (struct hf_open_block){.index = index, .used = true};
  hf_sum_init(&best->sum, w->salt);
  return best;
}

void hf_journal_forget(struct hf_wrap *w, uint64_t off, uint64_t len) {
  if (!w->block || !w->open || len == 0) return;
  uint64_t first = off / w->block, last = (off + len - 1) / w->block;
  for (unsigned i = 0; i < HF_OPEN_BLOCKS; i++) {
    struct hf_open_block *b = &w->open[i];
    if (!b->used || b->index < first || b->index > last || (uint64_t)b->index * w->block + b->next <= off) continue;
    if (b->busy)
      b->lost = true;
    else
      b->used = false;
  }
}

/* One piece inside one block. */
static void follow_piece(hf_call *c, struct hf_wrap *w, uint64_t off, const uint8_t *data, uint32_t len) {
  uint32_t index = (uint32_t)(off / w->block), inside = (uint32_t)(off % w->block), whole = block_len(w, index);
  pthread_mutex_lock(&w->lock);
  struct hf_open_block *b = open_find(w, index);
  if (b && b->busy) {
    b->lost = true;
    b = NULL;
  } else {
    if (b && b->next != inside) b->used = false, b = NULL;
    if (!b && inside == 0) b = open_make(w, index);
  }
  if (b) {
    b->busy = true;
    b->age = ++w->clock;
    pthread_mutex_unlock(&w->lock);
    hf_sum_add(&b->sum, data, len);
    pthread_mutex_lock(&w->lock);
    b->busy = false;
    b->next += len;
    bool lost = b->lost, full = b->next == whole;
    uint64_t sum = full ? hf_sum_end(&b->sum) : 0;
    if (lost || full) b->used = false;
    if (full && !lost) {
      pthread_mutex_unlock(&w->lock);
      record(c, w, index, whole, sum);
      return;
    }
  }
  bool all = hf_ranges_has(&w->held, (uint64_t)index * w->block, whole);
  if (all && b) b->used = false; /* the rest was there before its beginning */
  pthread_mutex_unlock(&w->lock);
  if (all) record_back(c, w, index);
}

void hf_journal_follow(hf_call *c, struct hf_wrap *w, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  if (!w->block || !w->open) return;
  for (uint32_t i = 0; i < n; i++) {
    const uint8_t *p = iov[i].base;
    for (size_t left = iov[i].len; left;) {
      uint64_t to_end = w->block - off % w->block;
      uint32_t take = left < to_end ? (uint32_t)left : (uint32_t)to_end;
      follow_piece(c, w, off, p, take);
      off += take;
      p += take;
      left -= take;
    }
  }
}

void hf_journal_stop(struct hf_wrap *w) {
  if (!w->block || !w->open) return;
  hf_call *c;
  if (hf_call_begin(w->store->rt, &c) != HF_OK) return;
  for (unsigned i = 0; i < HF_OPEN_BLOCKS; i++) {
    struct hf_open_block *b = &w->open[i];
    if (b->used && b->next) record(c, w, b->index, b->next, hf_sum_end(&b->sum));
  }
  hf_journal_append(c, w, NULL, 0);
  hf_call_end(c);
}

/* ---- resume ---- */

struct resume {
  struct hf_wrap *w;
  const struct hf_journal_block *table;
  uint32_t prefix, per_run; /* blocks of the first run, named without a hole; blocks of each other run */
};

static hf_status verify_block(hf_call *c, struct hf_wrap *w, const struct hf_journal_block *row, uint32_t index,
                              uint8_t *buf, bool *good) {
  size_t got = 0;
  uint64_t start = (uint64_t)index * w->block;
  *good = false;
  TRY(hf_call_check(c));
  hf_call *own = hf_call_branch(c); /* a block that cannot be read is fetched again */
  if (!own) return hf_call_failf(c, HF_ENOMEM, "no memory to resume %s", w->what.name.path);
  if (hf_raw_read(own, w, buf, row->len, start, &got) == HF_OK && got == row->len)
    *good = hf_sum_of(w->salt, buf, row->len) == row->sum;
  hf_call_branch_end(own, false);
  if (!*good) return HF_OK;
  pthread_mutex_lock(&w->lock);
  bool added = hf_ranges_add(&w->held, start, row->len);
  pthread_mutex_unlock(&w->lock);
  return added ? HF_OK : hf_call_failf(c, HF_ENOMEM, "no memory to resume %s", w->what.name.path);
}

static hf_status verify_run(hf_call *c, void *arg, uint32_t run) {
  struct resume *r = arg;
  struct hf_wrap *w = r->w;
  uint32_t i = run ? r->prefix + (run - 1) * r->per_run : 0;
  uint32_t end = run == 0 ? r->prefix : w->blocks - i < r->per_run ? w->blocks : i + r->per_run;
  uint8_t *buf = hf_mem_alloc(w->block);
  if (!buf) return hf_call_failf(c, HF_ENOMEM, "no memory to resume %s", w->what.name.path);
  bool hashing = run == 0;
  hf_status st = HF_OK;
  for (; i < end && st == HF_OK; i++) {
    bool good;
    if (r->table[i].len == 0) continue;
    st = verify_block(c, w, &r->table[i], i, buf, &good);
    hashing = hashing && good;
    if (st == HF_OK && hashing && !w->lazy) st = hf_frontier_add(c, w, buf, r->table[i].len);
    if (r->table[i].len != block_len(w, i)) hashing = false;
  }
  hf_mem_free(buf);
  return st;
}

/* Reads the journal into the table; HF_ENOTFOUND when there is none of this file. */
static hf_status read_journal(hf_call *c, struct hf_wrap *w, struct hf_journal_block *table) {
  uint8_t head[HF_JOURNAL_HEAD];
  size_t got;
  if (note_read(c, w, head, sizeof head, 0, &got) != HF_OK || got != sizeof head ||
      memcmp(head, w->head, sizeof head) != 0)
    return HF_ENOTFOUND;
  uint8_t *buf = hf_mem_alloc(NOTE_READ);
  if (!buf) return HF_ENOTFOUND;
  uint64_t at = HF_JOURNAL_HEAD, per_block = RECORDS_PER_BLOCK + w->block / LEAF_LEAST * 2;
  uint64_t most = w->blocks * per_block * HF_JOURNAL_RECORD + NOTE_READ;
  do {
    if (note_read(c, w, buf, NOTE_READ, at, &got) != HF_OK) got = 0;
    size_t whole = got - got % HF_JOURNAL_RECORD;
    hf_journal_parse(buf, whole, w->salt, w->s.size, w->block, table, w->blocks);
    hf_leaf_note(w, buf, whole);
    at += got == NOTE_READ ? whole - HF_JOURNAL_RECORD : whole; /* a leaf may lie across the end */
  } while (got == NOTE_READ && at < most);
  hf_leaf_sort(w);
  w->note_at = at;
  hf_mem_free(buf);
  return HF_OK;
}

static hf_status resume(hf_call *c, struct hf_wrap *w, struct hf_journal_block *table) {
  struct resume r = {.w = w, .table = table, .per_run = RUN_BYTES / w->block};
  while (r.prefix < w->blocks && table[r.prefix].len) r.prefix++;
  uint32_t rest = w->blocks - r.prefix;
  return hf_parallel(c, 1 + (rest + r.per_run - 1) / r.per_run, 0, verify_run, &r);
}

hf_status hf_journal_begin(hf_call *c, struct hf_wrap *w, bool again) {
  if (!w->f.note_write || !w->f.note_read || w->ordered || !w->reads_back) return HF_OK;
  w->block = hf_journal_block(w->s.size);
  w->blocks = hf_journal_blocks(w->s.size, w->block);
  if (!w->block) return HF_OK;
  w->salt = hf_journal_head(w->head, w->s.size, w->block, w->what.etag, &w->want);
  w->open = hf_mem_alloc(HF_OPEN_BLOCKS * sizeof *w->open);
  struct hf_journal_block *table = again ? hf_mem_alloc((size_t)w->blocks * sizeof *table) : NULL;
  hf_call *own = hf_call_branch(c);
  if (!w->open || (again && !table) || !own) {
    hf_mem_free(table);
    if (own) hf_call_branch_end(own, false);
    return hf_call_failf(c, HF_ENOMEM, "no memory to keep a journal of %s", w->what.name.path);
  }
  bool found = again && read_journal(own, w, table) == HF_OK;
  if (!found && note_write(own, w, "", 0, 0) != HF_OK) w->note_broken = true;
  hf_call_branch_end(own, false);
  hf_status st = found ? resume(c, w, table) : HF_OK;
  hf_mem_free(table);
  return st;
}
