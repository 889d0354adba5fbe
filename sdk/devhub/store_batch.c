/* store_batch.c - many small contents at once: the files of a commit as they come in.
 * A few stay in memory until their rows are written. More fill blocks that a thread of the batch hashes and appends to a pack:
 * one file of the data folder for all of them, synced and named before the rows that tell of it.
 * The rows belong to the transaction of the commit, so a commit that fails leaves neither rows nor a pack. */
#include "store_db.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_MAX = 32 * 1024, BLOCK = 1 << 20, BLOCKS = 4, PACK_FROM = 256 * 1024 };

struct content {
  struct blob blob;
  uint64_t place; /* in the pack */
  uint32_t block_at;
  bool own; /* a blob of its own, the row is there */
};

struct block {
  char *data;
  size_t used, first, last; /* contents first..last-1 */
};

struct blob_batch {
  struct store *store;
  struct content *contents;
  size_t count, room;
  struct digest digest;
  struct block blocks[BLOCKS];
  unsigned filling;   /* the block that takes contents; those before it are with the thread */
  char *large;        /* room of a content that is a blob of its own */
  bool packs, packed; /* blocks go to a pack; it has its name */
  char *temporary;
  int fd;
  uint64_t pack, pack_size; /* in memory: the arena has no packs, only places */
  /* Between the two threads: */
  pthread_mutex_t lock;
  pthread_cond_t moved;
  pthread_t thread;
  bool running, ending, failed;
  unsigned taken, done; /* blocks handed over, blocks that are written */
};

struct blob_batch *dh_batch_begin(struct store *s) {
  struct blob_batch *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->store = s;
  b->fd = -1;
  pthread_mutex_init(&b->lock, NULL);
  pthread_cond_init(&b->moved, NULL);
  return b;
}

static bool block_hash(struct blob_batch *b, const struct block *block) {
  for (size_t i = block->first; i < block->last; i++) {
    struct content *c = &b->contents[i];
    if (c->own) continue;
    dh_digest_again(&b->digest, "blob", (uint64_t)c->blob.size);
    dh_digest_add(&b->digest, block->data + c->block_at, (size_t)c->blob.size);
    if (!dh_digest_take(&b->digest, c->blob.sha256, c->blob.oid)) return false;
  }
  return true;
}

/* ---- the pack ---------------------------------------------------------------------------------------------------- */

static bool pack_open(struct blob_batch *b) {
  struct store *s = b->store;
  if (!s->folder) return true;
  unsigned n = atomic_fetch_add(&s->temporary, 1);
  if (asprintf(&b->temporary, "%s/tmp/%ld-%u", s->folder, (long)getpid(), n) < 0) b->temporary = NULL;
  b->fd = b->temporary ? open(b->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
  if (b->fd < 0) fprintf(stderr, "hf-devhub: cannot make a pack in %s: %s\n", s->folder, strerror(errno));
  return b->fd >= 0 && dh_random(&b->pack, sizeof b->pack);
}

static bool block_write(struct blob_batch *b, const struct block *block) {
  uint64_t place = b->store->folder ? b->pack_size : db_arena_take(b->store, block->used);
  int fd = b->store->folder ? b->fd : b->store->arena;
  for (size_t at = 0; at < block->used;) {
    ssize_t n = pwrite(fd, block->data + at, block->used - at, (off_t)(place + at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fprintf(stderr, "hf-devhub: cannot write a pack: %s\n", strerror(errno));
      return false;
    }
    at += (size_t)n;
  }
  if (b->store->folder) sync_file_range(fd, (off_t)place, (off_t)block->used, SYNC_FILE_RANGE_WRITE);
  for (size_t i = block->first; i < block->last; i++) {
    struct content *c = &b->contents[i];
    if (c->own) continue;
    c->blob.kind = BLOB_PACKED;
    c->blob.seed = b->pack;
    c->blob.place = c->place = place + c->block_at;
  }
  b->pack_size += block->used;
  return true;
}

static void *pack_run(void *arg) {
  struct blob_batch *b = arg;
  pthread_mutex_lock(&b->lock);
  for (;;) {
    while (b->done == b->taken && !b->ending) pthread_cond_wait(&b->moved, &b->lock);
    if (b->done == b->taken) break;
    const struct block *block = &b->blocks[b->done % BLOCKS];
    bool failed = b->failed;
    pthread_mutex_unlock(&b->lock);
    failed = failed || !block_hash(b, block) || !block_write(b, block);
    pthread_mutex_lock(&b->lock);
    b->failed |= failed;
    b->done++;
    pthread_cond_signal(&b->moved);
  }
  pthread_mutex_unlock(&b->lock);
  return NULL;
}

/* The block that is filling goes to the thread; another one takes over. */
static bool block_hand_over(struct blob_batch *b) {
  if (!b->packs) {
    b->packs = pack_open(b);
    if (!b->packs) return false;
    b->running = pthread_create(&b->thread, NULL, pack_run, b) == 0;
    if (!b->running) return false;
  }
  pthread_mutex_lock(&b->lock);
  b->blocks[b->filling % BLOCKS].last = b->count;
  b->taken = ++b->filling;
  pthread_cond_signal(&b->moved);
  while (b->taken - b->done >= BLOCKS) pthread_cond_wait(&b->moved, &b->lock);
  bool ok = !b->failed;
  pthread_mutex_unlock(&b->lock);
  struct block *next = &b->blocks[b->filling % BLOCKS];
  next->used = 0;
  next->first = b->count;
  return ok;
}

static void thread_join(struct blob_batch *b) {
  if (!b->running) return;
  pthread_mutex_lock(&b->lock);
  b->ending = true;
  pthread_cond_signal(&b->moved);
  pthread_mutex_unlock(&b->lock);
  pthread_join(b->thread, NULL);
  b->running = false;
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

char *dh_batch_room(struct blob_batch *b, size_t size) {
  if (size > SMALL_MAX + 3) { /* what is decoded may be a little shorter than the room that was asked for */
    free(b->large);
    return b->large = malloc(size);
  }
  struct block *block = &b->blocks[b->filling % BLOCKS];
  if (block->used + size > BLOCK) {
    if (!block_hand_over(b)) return NULL;
    block = &b->blocks[b->filling % BLOCKS];
  }
  if (!block->data) block->data = malloc(BLOCK);
  return block->data ? block->data + block->used : NULL;
}

static bool contents_grow(struct blob_batch *b) {
  if (b->count < b->room) return true;
  size_t room = b->room ? b->room * 2 : 256;
  pthread_mutex_lock(&b->lock); /* the thread is in the middle of them */
  while (b->done != b->taken) pthread_cond_wait(&b->moved, &b->lock);
  struct content *more = realloc(b->contents, room * sizeof *more);
  pthread_mutex_unlock(&b->lock);
  if (!more) return false;
  b->contents = more;
  b->room = room;
  return true;
}

int dh_batch_take(struct blob_batch *b, size_t size, size_t *index) {
  if (!contents_grow(b)) return STORE_FAILED;
  struct content *c = &b->contents[b->count];
  *index = b->count;
  if (b->large) {
    struct blob_put *put = dh_blob_begin(b->store, size);
    if (put) dh_blob_data(put, b->large, size);
    free(b->large);
    b->large = NULL;
    *c = (struct content){0};
    if (!put || dh_blob_end(put, &c->blob) != STORE_OK) return STORE_FAILED;
    c->own = true;
  } else {
    struct block *block = &b->blocks[b->filling % BLOCKS];
    *c = (struct content){.blob = {.size = (int64_t)size, .kind = BLOB_INLINE}, .block_at = (uint32_t)block->used};
    block->used += size;
  }
  b->count++;
  return STORE_OK;
}

/* The last of the thread: all bytes of the pack are on disk before it has its name. */
static void *publish_run(void *arg) {
  struct blob_batch *b = arg;
  b->packed = db_pack_publish(b->store, b->fd, b->temporary, b->pack);
  return NULL;
}

int db_batch_finish(struct blob_batch *b) {
  struct block *block = &b->blocks[b->filling % BLOCKS];
  block->last = b->count;
  if (!b->packs && block->used <= PACK_FROM) return block_hash(b, block) ? STORE_OK : STORE_FAILED;
  bool ok = block_hand_over(b);
  thread_join(b);
  if (!ok || b->failed) return STORE_FAILED;
  if (!b->store->folder) return STORE_OK;
  b->running = pthread_create(&b->thread, NULL, publish_run, b) == 0; /* while the rows are written */
  return b->running ? STORE_OK : STORE_FAILED;
}

int db_batch_sync(struct blob_batch *b) {
  thread_join(b);
  return !b->packs || !b->store->folder || b->packed ? STORE_OK : STORE_FAILED;
}

static bool row_add(struct blob_batch *b, struct content *c, const char *data) {
  struct db *db = db_get(b->store);
  sqlite3_set_last_insert_rowid(db->sql, 0);
  if (db_blob_add(b->store, &c->blob, data) != STORE_OK) return false;
  c->blob.id = sqlite3_last_insert_rowid(db->sql);
  return c->blob.id || dh_blob_find(b->store, c->blob.sha256, &c->blob) == STORE_OK;
}

int db_batch_write(struct blob_batch *b) {
  const char *data = b->packs ? NULL : b->blocks[0].data;
  for (size_t i = 0; i < b->count; i++) {
    struct content *c = &b->contents[i];
    if (!c->own && !row_add(b, c, data ? data + c->block_at : NULL)) return STORE_FAILED;
  }
  return STORE_OK;
}

/* Gives back the room of contents that were there before; of all of them when the commit failed. */
static void rooms_drop(struct blob_batch *b, bool kept) {
  uint64_t from = 0, to = 0;
  int fd = b->store->folder ? b->fd : b->store->arena;
  for (size_t i = 0; i <= b->count; i++) {
    const struct content *c = i < b->count ? &b->contents[i] : NULL;
    bool stays = c && kept && c->blob.kind == BLOB_PACKED && c->blob.seed == b->pack && c->blob.place == c->place;
    if (c && (c->own || stays)) continue;
    if (c && c->place == to) {
      to += (uint64_t)c->blob.size;
      continue;
    }
    if (to > from) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
    if (c) from = c->place;
    if (c) to = c->place + (uint64_t)c->blob.size;
  }
}

const struct blob *db_batch_blob(const struct blob_batch *b, size_t index) {
  return index < b->count ? &b->contents[index].blob : NULL;
}

void dh_batch_end(struct blob_batch *b, bool kept) {
  char sha256[65], oid[41];
  if (!b) return;
  thread_join(b);
  if (b->packs && (kept || !b->store->folder)) rooms_drop(b, kept);
  if (b->packed && !kept) db_pack_drop(b->store, b->pack);
  if (b->temporary && !b->packed) unlink(b->temporary);
  if (b->fd >= 0) close(b->fd);
  if (b->digest.sha256) dh_digest_end(&b->digest, sha256, oid);
  for (unsigned i = 0; i < BLOCKS; i++) free(b->blocks[i].data);
  pthread_cond_destroy(&b->moved);
  pthread_mutex_destroy(&b->lock);
  free(b->large);
  free(b->temporary);
  free(b->contents);
  free(b);
}
