/* store_batch.c - many small contents at once: the files of a commit as they come in.
 * Small ones wait in memory and are written in one transaction every few MiB, so that ten thousand files do not cost ten
 * thousand times waiting for the disk; larger ones are blobs of their own. */
#include "store_db.h"
#include <stdlib.h>
#include <string.h>

enum { INLINE_MAX = 32 * 1024, WAITING_BYTES = 4 << 20, WAITING_MAX = 4096 };

struct blob_batch {
  struct store *store;
  struct blob rows[WAITING_MAX];
  char *data[WAITING_MAX];
  size_t count, bytes;
};

struct blob_batch *dh_batch_begin(struct store *s) {
  struct blob_batch *b = calloc(1, sizeof *b);
  if (b) b->store = s;
  return b;
}

static int batch_flush(struct blob_batch *b) {
  struct db *db = db_get(b->store);
  if (!b->count) return STORE_OK;
  int rc = db_simple(db, ST_BEGIN_WRITE);
  if (rc == STORE_OK) {
    for (size_t i = 0; rc == STORE_OK && i < b->count; i++) rc = db_blob_add(b->store, &b->rows[i], b->data[i]);
    rc = db_end(db, rc);
  }
  for (size_t i = 0; i < b->count; i++) free(b->data[i]);
  b->count = b->bytes = 0;
  return rc;
}

static int add_large(struct blob_batch *b, const void *data, size_t size, char sha256[65]) {
  struct blob blob;
  struct blob_put *put = dh_blob_begin(b->store, size);
  if (!put) return STORE_FAILED;
  dh_blob_data(put, data, size);
  int rc = dh_blob_end(put, &blob);
  if (rc == STORE_OK) memcpy(sha256, blob.sha256, 65);
  return rc;
}

int dh_batch_add(struct blob_batch *b, const void *data, size_t size, char sha256[65]) {
  if (size > INLINE_MAX) return add_large(b, data, size, sha256);
  if (b->count == WAITING_MAX || b->bytes + size > WAITING_BYTES) {
    int rc = batch_flush(b);
    if (rc != STORE_OK) return rc;
  }
  struct blob *row = &b->rows[b->count];
  struct digest d;
  *row = (struct blob){.size = (int64_t)size, .kind = BLOB_INLINE};
  dh_digest_begin(&d, "blob", size);
  dh_digest_add(&d, data, size);
  char *copy = malloc(size + 1);
  if (!dh_digest_end(&d, row->sha256, row->oid) || !copy) {
    free(copy);
    return STORE_FAILED;
  }
  if (size) memcpy(copy, data, size);
  b->data[b->count++] = copy;
  b->bytes += size;
  memcpy(sha256, row->sha256, 65);
  return STORE_OK;
}

int dh_batch_end(struct blob_batch *b) {
  if (!b) return STORE_OK;
  int rc = batch_flush(b);
  free(b);
  return rc;
}
