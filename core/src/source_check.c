/* source_check.c - the source that adapters send from: every block is read whole and compared with the checksum of the first
 * pass before one byte of it leaves, so what the server gets is what was hashed, whoever writes to the file meanwhile.
 * Whole blocks go straight to whoever asks; pieces come from a few blocks in memory, one for each part that is being sent. */
#include <stdlib.h>

#include "bytes.h"

enum { SLOTS = 32, TELL_NS = 100000000 };

struct slot {
  uint8_t *data;
  uint32_t block, pins;
  uint64_t age;
  bool used, loading, spent; /* spent: its last byte was given, nobody is likely to want it again */
};

struct check {
  struct hf_source s; /* first */
  struct hf_source *raw;
  const uint64_t *sums;
  uint8_t *seen; /* a bit for each block that was read */
  uint32_t block, count, item, slots;
  pthread_mutex_t lock;
  pthread_cond_t loaded;
  uint64_t clock, done, told_ns;
  struct slot slot[SLOTS];
};

static size_t block_len(const struct check *k, uint32_t block) {
  uint64_t off = (uint64_t)block * k->block;
  return k->s.size - off < k->block ? (size_t)(k->s.size - off) : k->block;
}

/* Which free slot is taken first: one that is spent, then one that has no memory yet, then the one that waits longest. */
static uint64_t rank(const struct slot *s) {
  return s->spent ? 0 : !s->data ? 1 : 1 + s->age;
}

/* The slot of a block, pinned: loaded, being loaded by another, or (*mine) to be loaded by the caller. Under lock. */
static struct slot *pin(struct check *k, uint32_t block, bool *mine) {
  for (;;) {
    struct slot *free_one = NULL;
    for (uint32_t i = 0; i < k->slots; i++) {
      struct slot *s = &k->slot[i];
      if (s->used && s->block == block) {
        s->pins++;
        s->age = ++k->clock;
        *mine = false;
        return s;
      }
      if (!s->pins && (!free_one || rank(s) < rank(free_one))) free_one = s;
    }
    if (free_one) {
      *free_one = (struct slot){
          .data = free_one->data, .block = block, .pins = 1, .age = ++k->clock, .used = true, .loading = true};
      *mine = true;
      return free_one;
    }
    pthread_cond_wait(&k->loaded, &k->lock);
  }
}

static void tell(hf_call *c, struct check *k, uint32_t block) { /* under lock */
  if (!(k->seen[block / 8] & 1u << block % 8)) {
    k->seen[block / 8] |= (uint8_t)(1u << block % 8);
    k->done += block_len(k, block);
  }
  uint64_t now = hf_now_ns();
  if (k->item == UINT32_MAX || now - k->told_ns < TELL_NS) return;
  k->told_ns = now;
  struct hf_event e = {.struct_size = sizeof e,
                       .type = HF_EV_BYTES,
                       .item = k->item,
                       .done = k->done,
                       .total = k->s.size,
                       .text = k->s.name};
  pthread_mutex_unlock(&k->lock);
  hf_call_emit(c, &e);
  pthread_mutex_lock(&k->lock);
}

/* A block as it was hashed, or nothing. */
static hf_status read_block(hf_call *c, struct check *k, uint32_t block, uint8_t *to) {
  size_t len = block_len(k, block), got = 0;
  TRY(k->raw->pread(c, k->raw, to, len, (uint64_t)block * k->block, &got));
  if (got == len && hf_sum_of(block, to, len) == k->sums[block]) return HF_OK;
  return hf_call_failf(c, HF_ECONFLICT, "%s changed after it was hashed; wait until it is complete and upload it again",
                       k->s.name);
}

static hf_status load(hf_call *c, struct check *k, struct slot *s) {
  if (!s->data) s->data = hf_mem_alloc(k->s.size < k->block ? (size_t)k->s.size : k->block);
  if (!s->data) return hf_call_failf(c, HF_ENOMEM, "no memory to send %s", k->s.name);
  return read_block(c, k, s->block, s->data);
}

static hf_status check_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct check *k = (struct check *)s;
  *got = 0;
  if (off >= s->size) return HF_OK;
  if (len > s->size - off) len = (size_t)(s->size - off);
  while (*got < len) {
    uint32_t block = (uint32_t)((off + *got) / k->block);
    size_t at = (size_t)((off + *got) % k->block), n = block_len(k, block) - at;
    hf_status st = HF_OK;
    if (at == 0 && n <= len - *got) {
      TRY(read_block(c, k, block, (uint8_t *)buf + *got));
      *got += n;
      pthread_mutex_lock(&k->lock);
      tell(c, k, block);
      pthread_mutex_unlock(&k->lock);
      continue;
    }
    bool mine;
    pthread_mutex_lock(&k->lock);
    struct slot *slot = pin(k, block, &mine);
    if (mine) {
      pthread_mutex_unlock(&k->lock);
      st = load(c, k, slot);
      pthread_mutex_lock(&k->lock);
      slot->loading = false;
      if (st != HF_OK) slot->used = false;
      pthread_cond_broadcast(&k->loaded);
      if (st == HF_OK) tell(c, k, block);
    }
    while (slot->loading) pthread_cond_wait(&k->loaded, &k->lock);
    bool there = slot->used && slot->block == block;
    pthread_mutex_unlock(&k->lock);
    if (n > len - *got) n = len - *got;
    if (there) {
      memcpy((char *)buf + *got, slot->data + at, n);
      *got += n;
    }
    pthread_mutex_lock(&k->lock);
    if (there && at + n == block_len(k, block)) slot->spent = true;
    if (--slot->pins == 0) pthread_cond_broadcast(&k->loaded);
    pthread_mutex_unlock(&k->lock);
    TRY(st); /* one that waited for a load that failed asks again, and gets the reason itself */
  }
  return HF_OK;
}

static void check_close(struct hf_source *s) {
  struct check *k = (struct check *)s;
  k->raw->close(k->raw);
  for (uint32_t i = 0; i < k->slots; i++) hf_mem_free(k->slot[i].data);
  hf_mem_free(k->seen);
  pthread_cond_destroy(&k->loaded);
  pthread_mutex_destroy(&k->lock);
  hf_mem_free(k);
}

hf_status hf_source_check(hf_call *c, struct hf_source *raw, uint32_t block, const uint64_t *sums, uint32_t count,
                          uint32_t item, struct hf_source **out) {
  uint32_t right_block, right = raw->size == HF_SIZE_UNKNOWN ? 0 : hf_scan_blocks(raw->size, &right_block);
  struct check *k = hf_mem_alloc(sizeof *k);
  *out = NULL;
  if (k) k->seen = hf_mem_alloc(count / 8 + 1);
  if (!k || !k->seen || raw->size == HF_SIZE_UNKNOWN || right != count || right_block != block) {
    hf_status st = !k || !k->seen ? hf_call_failf(c, HF_ENOMEM, "no memory to send %s", raw->name)
                                  : hf_call_failf(c, HF_ECONFLICT,
                                                  "%s changed after it was hashed; wait until it is complete and "
                                                  "upload it again",
                                                  raw->name);
    if (k) hf_mem_free(k->seen);
    hf_mem_free(k);
    raw->close(raw);
    return st;
  }
  pthread_mutex_init(&k->lock, NULL);
  pthread_cond_init(&k->loaded, NULL);
  k->raw = raw;
  k->sums = sums;
  k->block = block;
  k->count = count;
  k->item = item;
  k->slots = count < SLOTS ? count + !count : SLOTS;
  k->s = (struct hf_source){.struct_size = sizeof k->s,
                            .caps = HF_IO_CONCURRENT,
                            .size = raw->size,
                            .name = raw->name,
                            .pread = check_pread,
                            .close = check_close};
  *out = &k->s;
  return HF_OK;
}
